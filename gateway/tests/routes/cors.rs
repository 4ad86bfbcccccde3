//! What scripts of other origins may do (Fetch Standard, section 3.3).

use http::Method;

use crate::origin::{Origin, ok};
use crate::support::client::{Answer, request, send};
use crate::support::gateway::Gateway;
use crate::{gateway, get};

const ROUTES: &str = r#"
[limits.one]
capacity = 1
refill = "1/1h"
[[routes]]
name = "app"
path = "/app/{*rest}"
methods = ["GET", "PUT"]
upstream = "default"
limits = ["one"]
[routes.cors]
origins = ["https://app.example.com", "https://*.dev.example.com"]
headers = ["x-token", "content-type"]
expose = ["ratelimit", "x-request-id"]
credentials = true
max_age = "5m"
[[routes]]
name = "open"
path = "/open/{*rest}"
upstream = "default"
cors = { origins = ["*"], headers = ["*"] }
[[routes]]
name = "plain"
path = "/plain"
upstream = "default"
[[routes]]
name = "versioned"
path = "/versioned"
headers = { x-version = "2" }
upstream = "default"
cors = { origins = ["https://app.example.com"], headers = ["x-version"] }
"#;

const APP: &str = "https://app.example.com";

/// An upstream that has opinions of its own.
async fn origin() -> Origin {
    Origin::start(|_| {
        let said = [
            ("access-control-allow-origin", "https://upstream.example"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-secret"),
            ("vary", "accept"),
        ];
        ok(&said, "fine")
    })
    .await
}

async fn preflight(gateway: &Gateway, path: &str, origin: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("origin", origin), ("access-control-request-method", "PUT")];
    headers.extend_from_slice(more);
    send(gateway.proxy(), request(Method::OPTIONS, path, &headers)).await
}

fn vary(answer: &Answer) -> String {
    let lines = answer.headers.get_all("vary").iter();
    let texts: Vec<_> = lines
        .map(|line| line.to_str().unwrap().to_owned())
        .collect();
    texts.join(", ")
}

#[tokio::test]
async fn a_preflight_is_answered_here_and_costs_no_limit() {
    let origin = origin().await;
    let gateway = gateway(&origin.url(), ROUTES);
    for _ in 0..3 {
        let answer = preflight(
            &gateway,
            "/app/x",
            APP,
            &[("access-control-request-headers", "x-token")],
        )
        .await;
        assert_eq!(answer.status, 204);
        for (name, value) in [
            ("access-control-allow-origin", APP),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET, PUT"),
            ("access-control-allow-headers", "x-token, content-type"),
            ("access-control-max-age", "300"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(
            vary(&answer),
            "access-control-request-method, access-control-request-headers, origin"
        );
        assert_eq!(answer.header("ratelimit"), None);
    }
    assert_eq!(origin.count(), 0);
    // Whatever is asked for.
    let open = preflight(
        &gateway,
        "/open/x",
        "null",
        &[("access-control-request-headers", "x-a,x-b")],
    )
    .await;
    assert_eq!(open.header("access-control-allow-origin"), Some("*"));
    assert_eq!(open.header("access-control-allow-headers"), Some("x-a,x-b"));
    assert_eq!(
        open.header("access-control-allow-methods"),
        Some("GET, HEAD, POST, PUT, PATCH, DELETE")
    );
}

#[tokio::test]
async fn an_origin_that_may_not_is_told_nothing() {
    let origin = origin().await;
    let gateway = gateway(&origin.url(), ROUTES);
    for stranger in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "https://dev.example.com",
        "null",
    ] {
        let refused = preflight(&gateway, "/app/x", stranger, &[]).await;
        assert_eq!(refused.status, 204);
        let told = refused
            .headers
            .keys()
            .filter(|name| name.as_str().starts_with("access-control"));
        assert_eq!(told.count(), 0, "{stranger}");
        assert!(vary(&refused).contains("origin"));
    }
    let below = preflight(&gateway, "/app/x", "https://a.dev.example.com", &[]).await;
    assert_eq!(
        below.header("access-control-allow-origin"),
        Some("https://a.dev.example.com")
    );
}

#[tokio::test]
async fn the_route_decides_in_place_of_its_upstream_also_for_refusals() {
    let origin = origin().await;
    let gateway = gateway(&origin.url(), ROUTES);
    let answer = get(&gateway, "/app/x", &[("origin", APP)]).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"fine"[..]));
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("ratelimit, x-request-id")
    );
    assert_eq!(vary(&answer), "accept, origin");
    // The script may read that it was limited.
    let limited = get(&gateway, "/app/x", &[("origin", APP)]).await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.header("access-control-allow-origin"), Some(APP));
    // A cache must not serve one origin what was said to another, or to none.
    let none = get(&gateway, "/app/x", &[]).await;
    assert_eq!(none.header("access-control-allow-origin"), None);
    assert_eq!(vary(&none), "origin");
    let open = get(&gateway, "/open/x", &[]).await;
    assert_eq!(open.header("access-control-allow-origin"), Some("*"));
    assert_eq!(open.header("access-control-allow-credentials"), None);
    assert_eq!(vary(&open), "accept");
}

#[tokio::test]
async fn what_is_not_configured_is_left_to_the_upstream() {
    let origin = origin().await;
    let gateway = gateway(&origin.url(), ROUTES);
    let answer = preflight(&gateway, "/plain", APP, &[]).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://upstream.example")
    );
    assert_eq!(origin.last().method, Method::OPTIONS);
    // OPTIONS without a method asked for is no preflight.
    let options = send(
        gateway.proxy(),
        request(Method::OPTIONS, "/open/x", &[("origin", APP)]),
    )
    .await;
    assert_eq!((options.status, origin.count()), (200, 2));
    let other = send(
        gateway.proxy(),
        request(Method::OPTIONS, "/app/x", &[("origin", APP)]),
    )
    .await;
    assert_eq!(other.status, 405);
}

/// A preflight announces fields without their values.
#[tokio::test]
async fn a_route_by_header_is_found_by_what_the_preflight_announces() {
    let origin = origin().await;
    let gateway = gateway(&origin.url(), ROUTES);
    let announced = [("access-control-request-headers", "accept, X-Version")];
    let found = preflight(&gateway, "/versioned", APP, &announced).await;
    assert_eq!(found.header("access-control-allow-origin"), Some(APP));
    let without = preflight(&gateway, "/versioned", APP, &[]).await;
    assert_eq!(without.status, 404);
}
