//! Attempts beside a slow one.

use http::Method;

use crate::support::client::{post, request, send};
use crate::support::eventually;
use crate::upstream::{Reply, Upstream};
use crate::{gateway, gateway_to};

const HEDGED: &str = r#"hedge = { after = "20ms" }"#;
const WON: &str = r#"gateway_hedges_total{route="api",outcome="won"}"#;
const LOST: &str = r#"gateway_hedges_total{route="api",outcome="lost"}"#;

#[tokio::test]
async fn the_first_answer_counts_and_the_loser_is_cancelled() {
    let slow = Upstream::start(|_| Reply::Hang).await;
    let quick = Upstream::start(|_| Reply::Status(200)).await;
    // A circuit that one failure opens: being slower than a hedge is none.
    let circuit = "circuit = { failures = 1, quorum = 1 }";
    let gateway = gateway_to(&[&slow.url(), &quick.url()], circuit, HEDGED);
    for _ in 0..6 {
        assert_eq!(gateway.get("/x").await.status, 200);
    }
    assert!(slow.count() >= 1 && quick.count() == 6);
    eventually("the losers are gone", || async { slow.open() == 0 }).await;
    let won = gateway.metric(WON).await;
    assert!((won - slow.count() as f64).abs() < 0.5, "{won}");
    assert!(gateway.metric(LOST).await < 0.5);
    let failures = r#"gateway_upstream_requests_total{upstream="api",outcome="timeout"}"#;
    assert!(gateway.metric(failures).await < 0.5);
}

#[tokio::test]
async fn a_hedge_that_fails_leaves_the_first_its_chance() {
    let upstream = Upstream::start(|number| match number {
        0 => Reply::Held,
        _ => Reply::Status(503),
    })
    .await;
    let gateway = gateway(&upstream.url(), "", HEDGED);
    let (answer, ()) = tokio::join!(gateway.get("/x"), async {
        eventually("the hedge has failed", || async {
            upstream.bodies().len() == 2
        })
        .await;
        upstream.release(1);
    });
    assert_eq!((answer.status, &answer.body[..]), (200, &b"answer 0"[..]));
    assert!(gateway.metric(LOST).await > 0.5);
}

#[tokio::test]
async fn only_safe_requests_without_a_body_are_sent_twice() {
    let upstream =
        Upstream::start(|_| Reply::Late(200, std::time::Duration::from_millis(300))).await;
    let gateway = gateway(&upstream.url(), "", HEDGED);
    assert_eq!(send(gateway.proxy(), post("/x", "order")).await.status, 200);
    let delete = request(Method::DELETE, "/x", &[]);
    assert_eq!(send(gateway.proxy(), delete).await.status, 200);
    assert_eq!(upstream.count(), 2);
    assert_eq!(gateway.get("/x").await.status, 200);
    assert_eq!(upstream.count(), 4);
}

#[tokio::test]
async fn hedges_are_paid_for_by_the_budget() {
    let upstream =
        Upstream::start(|_| Reply::Late(200, std::time::Duration::from_millis(100))).await;
    let route = r#"
hedge = { after = "5ms", most = 2 }
retry = { budget = { share = 0.01, minimum = "3/10s" } }
"#;
    let gateway = gateway(&upstream.url(), "", route);
    for _ in 0..10 {
        assert_eq!(gateway.get("/x").await.status, 200);
    }
    assert_eq!(upstream.count(), 13);
}
