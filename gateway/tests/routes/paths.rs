//! What becomes of a path before a route is looked for, and on its way upstream.

use upstream_mock::{Mock, Settings};

use crate::support::gateway::Gateway;
use crate::{UPSTREAM, gateway, get};

const ROUTES: &str = r#"
[[routes]]
name = "admin"
path = "/admin/{*rest}"
respond = { status = 403, body = "closed" }
[[routes]]
name = "all"
path = "/{*rest}"
upstream = "default"
"#;

async fn pair(server: &str) -> (Mock, Gateway) {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let text = format!("[server]\n{server}\n{UPSTREAM}{ROUTES}");
    let gateway = Gateway::from_file(&mock.url(), &text);
    (mock, gateway)
}

/// The status, and the path as the upstream saw it.
async fn seen(gateway: &Gateway, path: &str) -> (u16, String) {
    let answer = get(gateway, path, &[]).await;
    match answer.status {
        200 => (200, answer.json()["path"].as_str().unwrap().to_owned()),
        status => (status, String::new()),
    }
}

#[tokio::test]
async fn an_encoding_that_is_not_needed_hides_no_route() {
    let (_mock, gateway) = pair("").await;
    assert_eq!(seen(&gateway, "/%61dmin/x").await.0, 403);
    assert_eq!(seen(&gateway, "/x/%7Euser").await, (200, "/x/~user".into()));
    assert_eq!(seen(&gateway, "/x%2Fy//z").await, (200, "/x%2Fy//z".into()));
    assert_eq!(seen(&gateway, "/x/../admin/x").await.0, 400);
}

#[tokio::test]
async fn dots_and_slashes_are_resolved_where_that_is_asked_for() {
    let server = "dot_segments = \"resolve\"\ndouble_slashes = \"merge\"";
    let (_mock, gateway) = pair(server).await;
    for path in [
        "/x/../admin/x",
        "/%2e/admin/x",
        "//admin/x",
        "/x//%2E%2e//admin//x",
    ] {
        assert_eq!(seen(&gateway, path).await.0, 403, "{path}");
    }
    assert_eq!(seen(&gateway, "/a/./b//c").await, (200, "/a/b/c".into()));
    assert_eq!(seen(&gateway, "/a%2f..%2fadmin").await.0, 400);
}

#[tokio::test]
async fn what_servers_read_differently_is_refused_where_that_is_asked_for() {
    let server = "double_slashes = \"reject\"\nencoded_slashes = \"reject\"";
    let (_mock, gateway) = pair(server).await;
    for path in ["//admin/x", "/a//b", "/a%2Fb", "/a%2fb"] {
        assert_eq!(seen(&gateway, path).await.0, 400, "{path}");
    }
    assert_eq!(seen(&gateway, "/a/b").await.0, 200);
}

#[tokio::test]
async fn a_prefix_is_stripped_and_a_path_rewritten() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let routes = r#"
[[routes]]
name = "strip"
path = "/api/v1/{*rest}"
strip_prefix = "/api"
upstream = "default"
[[routes]]
name = "bare"
path = "/bare"
strip_prefix = "/bare/"
upstream = "default"
[[routes]]
name = "rewrite"
path = "/users/{id}/{what}"
rewrite = "/{what}/of/{id}"
upstream = "default"
"#;
    let gateway = gateway(&mock.url(), routes);
    for (path, upstream) in [
        ("/api/v1/a%20b?x=%2F", "/v1/a%20b"),
        ("/api/v1/", "/v1/"),
        ("/bare", "/"),
        ("/users/7/orders", "/orders/of/7"),
    ] {
        assert_eq!(seen(&gateway, path).await, (200, upstream.into()), "{path}");
    }
    let query = get(&gateway, "/api/v1/a?x=%2F", &[]).await;
    assert_eq!(query.json()["query"], "x=%2F");
}
