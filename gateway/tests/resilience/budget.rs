//! Retries never multiply an outage.

use futures_util::future::join_all;

use crate::gateway;
use crate::upstream::{Reply, Upstream};

#[tokio::test]
async fn an_outage_gets_a_share_more_and_not_a_multiple() {
    let upstream = Upstream::start(|_| Reply::Status(503)).await;
    let route = r#"
retry = { attempts = 5, initial_delay = "1ms", max_delay = "2ms", budget = { share = 0.1, minimum = "2/10s" } }
"#;
    let gateway = gateway(&upstream.url(), "", route);
    for _ in 0..10 {
        let answers = join_all((0..20).map(|_| gateway.get("/x"))).await;
        assert!(answers.iter().all(|answer| answer.status == 503));
    }
    let extra = upstream.count() - 200;
    assert!(
        (1..=22).contains(&extra),
        "{extra} attempts more than requests"
    );
    let spent = gateway
        .metric(r#"gateway_retry_budget_exhausted_total{route="api"}"#)
        .await;
    assert!(spent >= 178.0 - 0.5, "{spent}");
    let retries = gateway
        .metric(r#"gateway_retries_total{route="api",reason="503"}"#)
        .await;
    assert!((retries - extra as f64).abs() < 0.5, "{retries} {extra}");
}
