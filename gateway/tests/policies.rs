//! Limits and answers as a file describes them: several limits on a route, shadow mode, costs, a lost store, a route's own words.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "policies/algorithms.rs"]
mod algorithms;
mod support;

use http::Method;
use support::client::{Answer, request, send};
use support::gateway::Gateway;
use upstream_mock::{Mock, Settings};

const UPSTREAM: &str = r#"
[server]
trusted_proxies = ["127.0.0.0/8"]
[upstreams.default]
endpoints = ["UPSTREAM"]
circuit = { failures = 2, reset = "60s" }
"#;

async fn gateway(rest: &str) -> (Mock, Gateway) {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Gateway::from_file(&mock.url(), &format!("{UPSTREAM}{rest}"));
    (mock, gateway)
}

async fn from(gateway: &Gateway, client: &str) -> Answer {
    send(
        gateway.proxy(),
        request(Method::GET, "/a", &[("x-forwarded-for", client)]),
    )
    .await
}

async fn statuses(gateway: &Gateway, clients: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for client in clients {
        statuses.push(from(gateway, client).await.status);
    }
    statuses
}

#[tokio::test]
async fn a_request_that_one_limit_refuses_costs_the_others_nothing() {
    let (_mock, gateway) = gateway(
        r#"
        [limits.each]
        capacity = 2
        refill = "1/1h"
        [limits.all]
        key = "global"
        capacity = 3
        refill = "1/2s"
        [[routes]]
        name = "a"
        path = "/a"
        upstream = "default"
        limits = ["each", "all"]
        "#,
    )
    .await;
    let (one, two) = ("192.0.2.1", "192.0.2.2");
    assert_eq!(
        statuses(&gateway, &[one, one, one, two]).await,
        [200, 200, 429, 200]
    );
    // Everybody's tokens are spent: the second client is refused for that, and keeps its own.
    let refused = from(&gateway, two).await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json()["violated-policies"],
        serde_json::json!(["all"])
    );
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some("\"each\";q=2;w=7200, \"all\";q=3;w=6")
    );
    support::eventually(
        "a token came back for everybody, and the client still has one",
        || async { from(&gateway, two).await.status == 200 },
    )
    .await;
}

#[tokio::test]
async fn a_limit_in_shadow_counts_and_lets_pass() {
    let (mock, gateway) = gateway(
        r#"
        [limits.watched]
        capacity = 1
        refill = "1/1h"
        shadow = true
        [[routes]]
        name = "a"
        path = "/a"
        upstream = "default"
        limits = ["watched"]
        "#,
    )
    .await;
    assert_eq!(statuses(&gateway, &["192.0.2.1"; 4]).await, [200; 4]);
    assert_eq!(mock.recorder().count(), 4);
    let counted =
        "gateway_rate_limit_decisions_total{policy=\"watched\",decision=\"shadow_denied\"}";
    assert!((gateway.metric(counted).await - 3.0).abs() < 0.5);
}

#[tokio::test]
async fn a_route_may_cost_more_than_a_token() {
    let (_mock, gateway) = gateway(
        r#"
        [limits.each]
        capacity = 5
        refill = "1/1h"
        [[routes]]
        name = "a"
        path = "/a"
        upstream = "default"
        limits = ["each"]
        cost = 2
        "#,
    )
    .await;
    let answers = statuses(&gateway, &["192.0.2.1"; 3]).await;
    assert_eq!(answers, [200, 200, 429]);
}

#[tokio::test]
async fn without_its_store_a_limit_does_what_its_policy_says() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (policy, expected) in [
        ("allow", [200, 200, 200]),
        ("deny", [429; 3]),
        ("degrade", [200, 429, 429]),
    ] {
        let (_mock, gateway) = gateway(&format!(
            r#"
            [store]
            url = "redis://{nobody}"
            [limits.each]
            capacity = 1
            refill = "1/1h"
            on_store_failure = "{policy}"
            [[routes]]
            name = "a"
            path = "/a"
            upstream = "default"
            limits = ["each"]
            "#
        ))
        .await;
        assert_eq!(
            statuses(&gateway, &["192.0.2.1"; 3]).await,
            expected,
            "{policy}"
        );
    }
}

#[tokio::test]
async fn a_route_refuses_in_its_own_words() {
    let (mock, gateway) = gateway(
        r#"
        [limits.each]
        capacity = 3
        refill = "1/1h"
        [[routes]]
        name = "a"
        path = "/a"
        upstream = "default"
        limits = ["each"]
        answers.circuit_open = { status = 200, body = '{"fallback":true,"id":"{request_id}"}' }
        answers.limited = { content_type = "text/plain", headers = { x-reason = "slow down" }, body = "{route}: wait {retry_after}" }
        "#,
    )
    .await;
    mock.set_failing(true);
    assert_eq!(statuses(&gateway, &["192.0.2.1"; 2]).await, [500, 500]);
    let open = from(&gateway, "192.0.2.1").await;
    assert_eq!((open.status, &open.json()["fallback"]), (200, &true.into()));
    assert_eq!(open.json()["id"], open.header("x-request-id").unwrap());
    assert_eq!(open.header("content-type"), Some("application/json"));
    assert!(
        open.header("proxy-status")
            .unwrap()
            .ends_with("error=destination_unavailable")
    );
    assert_eq!(mock.recorder().count(), 2, "the upstream was not asked");
    let limited = from(&gateway, "192.0.2.1").await;
    assert_eq!(
        (limited.status, &limited.body[..]),
        (429, &b"a: wait 3600"[..])
    );
    assert_eq!(limited.header("x-reason"), Some("slow down"));
    assert_eq!(limited.header("retry-after"), Some("3600"));
}
