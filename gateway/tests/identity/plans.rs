//! Other figures for those of a plan.

use crate::{World, route, sha256};

#[tokio::test]
async fn each_plan_has_its_own_figures_and_they_are_announced() {
    let plans = [
        ("alice", "plan = \"pro\""),
        ("bob", "plan = \"free\""),
        ("carol", ""),
    ];
    let keys: String = plans
        .map(|(id, plan)| {
            format!(
                "[[keys]]\nid = \"{id}\"\nsha256 = \"{}\"\n{plan}\n",
                sha256(id)
            )
        })
        .concat();
    let text = format!(
        "[auth.keys]\napi_keys = {{ file = \"DIR/keys\" }}\n[limits.each]\nkey = \"api_key\"\ncapacity = 2\nrefill = \"1/1h\"\nplans = {{ pro = {{ capacity = 4 }}, free = {{ capacity = 1, refill = \"1/2h\" }} }}\n{}",
        route("\"keys\"", "\"each\"")
    );
    let world = World::start(&[("keys", &keys)], &text).await;
    for (id, tokens, policy) in [
        ("alice", 4, "\"each@pro\";q=4;w=14400"),
        ("bob", 1, "\"each@free\";q=1;w=7200"),
        ("carol", 2, "\"each\";q=2;w=7200"),
    ] {
        for token in 1..=tokens + 1 {
            let answer = world.get("/a", &[("x-api-key", id)]).await;
            assert_eq!(
                answer.status == 200,
                token <= tokens,
                "{id}, request {token}"
            );
            assert_eq!(answer.header("ratelimit-policy"), Some(policy));
        }
    }
    let counted = "gateway_rate_limit_decisions_total{policy=\"each@pro\",decision=\"granted\"}";
    assert!((world.gateway.metric(counted).await - 4.0).abs() < 0.1);
}
