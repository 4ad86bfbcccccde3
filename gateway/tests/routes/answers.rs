//! Answers of the configuration's own in place of the gateway's.

use http::Method;
use upstream_mock::{Mock, Settings};

use crate::support::client::{post, request, send};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::{gateway, get};

const ROUTES: &str = r#"
[limits.one]
capacity = 1
refill = "1/1h"
[answers.limited]
status = 420
body = '{"error":"slow down","in":{retry_after}}'
[answers.not_found]
content_type = "text/plain"
body = "nothing here ({request_id})"
[answers.method_not_allowed]
body = '{"error":"method"}'
[answers.too_large]
body = '{"error":"large"}'
[answers.bad_request]
body = '{"error":"bad"}'
[[routes]]
name = "own"
path = "/own/{id}"
upstream = "default"
limits = ["one"]
[routes.answers.limited]
status = 429
headers = { x-own = "yes" }
body = '{"message":"API rate limit exceeded","route":"{route}","id":"{id}"}'
[[routes]]
name = "shared"
path = "/shared"
upstream = "default"
limits = ["one"]
[[routes]]
name = "read"
path = "/read"
methods = ["GET"]
upstream = "default"
"#;

#[tokio::test]
async fn a_route_speaks_first_and_the_top_level_where_it_does_not() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = gateway(&mock.url(), ROUTES);
    assert_eq!(get(&gateway, "/own/7", &[]).await.status, 200);
    let own = get(&gateway, "/own/7", &[]).await;
    assert_eq!((own.status, own.header("x-own")), (429, Some("yes")));
    assert_eq!(
        own.json(),
        serde_json::json!({"message": "API rate limit exceeded", "route": "own", "id": "7"})
    );
    let shared = get(&gateway, "/shared", &[]).await;
    assert_eq!(shared.status, 420);
    assert_eq!(shared.json()["error"], "slow down");
    // What the contract promises of every refusal stays.
    let wait = shared.header("retry-after").unwrap();
    assert_eq!(shared.json()["in"].to_string(), wait);
    assert!(shared.header("proxy-status").is_some());
    assert!(shared.header("ratelimit").is_some());
}

#[tokio::test]
async fn what_no_route_takes_is_answered_by_the_top_level() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = gateway(&mock.url(), ROUTES);
    let missing = get(&gateway, "/missing", &[("x-request-id", "id-9")]).await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("content-type"), Some("text/plain"));
    assert_eq!(missing.body, "nothing here (id-9)");
    let method = send(gateway.proxy(), request(Method::PUT, "/read", &[])).await;
    assert_eq!((method.status, method.header("allow")), (405, Some("GET")));
    assert_eq!(method.json()["error"], "method");
    let long = get(&gateway, &format!("/{}", "a".repeat(9_000)), &[]).await;
    assert_eq!(
        (long.status, long.json()["error"].clone()),
        (414, "large".into())
    );
    let dots = get(&gateway, "/a/../b", &[]).await;
    assert_eq!(
        (dots.status, dots.json()["error"].clone()),
        (400, "bad".into())
    );
}

#[tokio::test]
async fn health_has_a_path_and_a_body_and_may_fail_with_a_circuit() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let text = r#"
[server]
health = { path = "/healthz", body = '{"status":"ok"}', fail_when_open = true }
[upstreams.default]
endpoints = ["UPSTREAM"]
circuit = { failures = 2, reset = "1h", quorum = 1 }
[[routes]]
name = "all"
path = "/api/{*rest}"
strip_prefix = "/api"
upstream = "default"
"#;
    let gateway = Gateway::from_file(&mock.url(), text);
    let healthy = gateway.get("/healthz").await;
    assert_eq!(
        (healthy.status, &healthy.body[..]),
        (200, &br#"{"status":"ok"}"#[..])
    );
    assert_eq!(gateway.get("/health").await.status, 404);
    mock.set_failing(true);
    for _ in 0..2 {
        assert_eq!(gateway.get("/api/ok").await.status, 500);
    }
    eventually("unhealthy", async || {
        gateway.get("/healthz").await.status == 503
    })
    .await;
    let unhealthy = gateway.get("/healthz").await;
    assert_eq!(unhealthy.json(), serde_json::json!({"status": "unhealthy"}));
}

/// A route on the path of the gateway's own answer is in its place: with limits, for instance.
#[tokio::test]
async fn a_route_may_stand_in_for_health() {
    let text = r#"
[limits.one]
capacity = 1
refill = "1/1h"
[[routes]]
name = "health"
path = "/health"
limits = ["one"]
respond = { body = '{"status":"ok"}' }
"#;
    let gateway = gateway("http://127.0.0.1:9", text);
    let first = send(gateway.proxy(), request(Method::GET, "/health", &[])).await;
    assert_eq!(first.json(), serde_json::json!({"status": "ok"}));
    assert!(first.header("ratelimit").is_some());
    let second = send(gateway.proxy(), post("/health", "")).await;
    assert_eq!(second.status, 429);
}
