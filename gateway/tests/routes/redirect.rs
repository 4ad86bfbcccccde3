//! Routes that send a client elsewhere, and routes that answer by themselves.

use upstream_mock::{Mock, Settings};

use crate::{gateway, get};

const ROUTES: &str = r#"
[server]
trusted_proxies = ["127.0.0.0/8"]
[[routes]]
name = "moved"
path = "/old/{*path}"
redirect = { to = "/new/{path}", status = 301 }
[[routes]]
name = "root"
path = "/out/{*path}"
redirect = { to = "/{path}", status = 302 }
[[routes]]
name = "elsewhere"
hosts = ["a.example"]
path = "/{*path}"
redirect = { to = "https://b.example/{path}?from={host}" }
[[routes]]
name = "secure"
path = "/secure/{*path}"
redirect = { https = true }
upstream = "default"
[[routes]]
name = "always"
hosts = ["plain.example"]
path = "/{*path}"
redirect = { https = true, status = 307 }
[[routes]]
name = "robots"
path = "/robots.txt"
[routes.respond]
status = 200
content_type = "text/plain"
headers = { cache-control = "max-age=60" }
body = "User-agent: *\nDisallow: /\n"
"#;

#[tokio::test]
async fn a_client_is_sent_where_the_route_says() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = gateway(&mock.url(), ROUTES);
    for (host, path, status, location) in [
        ("x", "/old/a/b?q=1", 301, "/new/a/b?q=1"),
        ("x", "/out/a", 302, "/a"),
        ("x", "/out//evil.example/a", 302, "/evil.example/a"),
        (
            "a.example",
            "/p?q",
            308,
            "https://b.example/p?from=a.example",
        ),
        ("x:8080", "/secure/a?b", 308, "https://x/secure/a?b"),
        ("plain.example", "/a?b", 307, "https://plain.example/a?b"),
    ] {
        let answer = get(&gateway, path, &[("host", host)]).await;
        let found = (answer.status, answer.header("location"));
        assert_eq!(found, (status, Some(location)), "{host}{path}");
        assert!(answer.header("x-request-id").is_some());
    }
    // A trusted proxy says that it came encrypted: there is nothing to redirect.
    let encrypted = get(&gateway, "/secure/a", &[("x-forwarded-proto", "https")]).await;
    assert_eq!(encrypted.status, 200);
    assert_eq!(encrypted.json()["path"], "/secure/a");
}

#[tokio::test]
async fn a_route_may_answer_by_itself() {
    let gateway = gateway("http://127.0.0.1:9", ROUTES);
    let answer = get(&gateway, "/robots.txt", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, "User-agent: *\nDisallow: /\n");
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.header("cache-control"), Some("max-age=60"));
}
