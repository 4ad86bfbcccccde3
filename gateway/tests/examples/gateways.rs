//! The three proxies before one service: `resilient-gateway`, `service-proxy` and `sliding-log-gateway`.

use http::Method;

use crate::stage::{Stage, StoreKind, on_both_stores};

on_both_stores!(
    a_resilient_gateway_limits_and_breaks,
    a_service_proxy_speaks_as_its_clients_expect,
    a_service_proxy_tries_three_times,
    a_log_counts_every_path,
    a_health_tells_of_an_open_circuit,
);

async fn a_resilient_gateway_limits_and_breaks(kind: StoreKind) {
    let stage = Stage::set("resilient-gateway", kind, &[]).await;
    let first = stage.get("/proxy/hello").await;
    assert_eq!(first.status, 200);
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"per-client\";q=100;w=600")
    );
    stage.mock.set_failing(true);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(stage.get("/proxy/hello").await.status);
    }
    assert_eq!(statuses, [500, 500, 500, 500, 500, 503]);
    // What an open circuit refuses costs a token too: 7 of 100 are gone.
    let mut refused = None;
    for _ in 0..110 {
        let answer = stage.get("/proxy/hello").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let wait = refused
        .expect("a 429 within 110 requests")
        .header("retry-after")
        .unwrap()
        .to_owned();
    assert!((1..=6).contains(&wait.parse::<u64>().unwrap()), "{wait}");
}

async fn a_service_proxy_speaks_as_its_clients_expect(kind: StoreKind) {
    let stage = Stage::set("service-proxy", kind, &[]).await;
    for _ in 0..10 {
        let answer = stage
            .post("/api/proxy/data", r#"{"message":"hello"}"#)
            .await;
        assert_eq!(
            (answer.status, &answer.json()["message"]),
            (200, &"hello".into())
        );
    }
    let refused = stage
        .post("/api/proxy/data", r#"{"message":"hello"}"#)
        .await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        refused.body,
        r#"{"status":"error","message":"Rate limit exceeded. Please try again later."}"#
    );
}

async fn a_service_proxy_tries_three_times(kind: StoreKind) {
    let stage = Stage::set("service-proxy", kind, &[]).await;
    stage.mock.set_failing(true);
    let failed = stage
        .post("/api/proxy/data", r#"{"message":"hello"}"#)
        .await;
    assert_eq!(failed.status, 500);
    assert_eq!(stage.asked("/data"), 3);
    // The fifth failure opens it, in the middle of the second request's attempts.
    stage
        .post("/api/proxy/data", r#"{"message":"hello"}"#)
        .await;
    let open = stage
        .post("/api/proxy/data", r#"{"message":"hello"}"#)
        .await;
    assert_eq!(open.status, 503);
    assert_eq!(
        open.body,
        r#"{"status":"error","message":"External service is currently unavailable (Circuit Open)."}"#
    );
    assert_eq!(stage.asked("/data"), 5);
}

async fn a_log_counts_every_path(kind: StoreKind) {
    let stage = Stage::set("sliding-log-gateway", kind, &[]).await;
    let answer = stage
        .ask(Method::GET, "/hello", &[("x-request-id", "abc-1")])
        .await;
    assert_eq!(answer.header("x-request-id"), Some("abc-1"));
    let upstream = stage.mock.recorder().requests().pop().unwrap();
    assert_eq!(upstream.headers["x-request-id"], "abc-1");
    for number in 1..100 {
        let path = if number % 2 == 0 { "/health" } else { "/other" };
        assert_eq!(stage.get(path).await.status, 200, "{number}");
    }
    for path in ["/health", "/hello"] {
        let refused = stage.get(path).await;
        assert_eq!(refused.status, 429, "{path}");
        assert!(refused.header("retry-after").is_some());
    }
}

async fn a_health_tells_of_an_open_circuit(kind: StoreKind) {
    // As in the file, but for the patience of its retries: those are another test's matter.
    let impatient = [("GATEWAY__ROUTES__ALL__RETRY__ATTEMPTS", "1")];
    let stage = Stage::set("sliding-log-gateway", kind, &impatient).await;
    assert_eq!(stage.get("/health").await.status, 200);
    assert_eq!(stage.post("/simulate-failure", "").await.status, 200);
    for _ in 0..5 {
        assert_eq!(stage.get("/hello").await.status, 500);
    }
    assert_eq!(stage.get("/hello").await.status, 503);
    assert_eq!(stage.get("/health").await.status, 503);
    let recovered = stage.post("/simulate-recovery", "").await;
    assert_eq!(
        recovered.status, 200,
        "what switches it on again gets through"
    );
    assert_eq!(recovered.json()["status"], "recovered");
}
