//! Header fields that a route changes, in both directions.

use crate::origin::{Origin, ok};
use crate::{gateway, get};

const ROUTES: &str = r#"
[limits.one]
capacity = 2
refill = "1/1h"
[[routes]]
name = "edit"
path = "/users/{id}/{*rest}"
upstream = "default"
limits = ["one"]
[routes.request_headers]
remove = ["cookie", "x-not-there"]
set = { X-User = "{id}", X-Where = "{route} for {client_ip}", X-Forwarded-Host = "inner" }
add = { X-Tag = "two", X-Json = '{"id":"{request_id}","x":{}}' }
[routes.response_headers]
remove = ["server", "x-powered-by"]
set = { X-Frame-Options = "DENY", X-Answered = "{request_id} {id}" }
add = { Link = "</next>; rel=next" }
"#;

#[tokio::test]
async fn fields_are_removed_set_and_added_on_both_ways() {
    let origin = Origin::start(|_| {
        ok(
            &[
                ("server", "secret/1.0"),
                ("x-powered-by", "x"),
                ("link", "</first>; rel=first"),
                ("x-frame-options", "ALLOW"),
                ("x-frame-options", "SAMEORIGIN"),
            ],
            "fine",
        )
    })
    .await;
    let gateway = gateway(&origin.url(), ROUTES);
    let said = [
        ("cookie", "a=1"),
        ("x-tag", "one"),
        ("x-user", "forged"),
        ("x-request-id", "id-1"),
    ];
    let answer = get(&gateway, "/users/7%207/a/b", &said).await;
    let seen = origin.last().headers;
    let values = |name: &str| {
        let all = seen.get_all(name).iter();
        all.map(|value| value.to_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(values("cookie"), Vec::<&str>::new());
    assert_eq!(values("x-user"), ["7%207"]);
    assert_eq!(values("x-where"), ["edit for 127.0.0.1"]);
    assert_eq!(values("x-forwarded-host"), ["inner"]);
    assert_eq!(values("x-tag"), ["one", "two"]);
    assert_eq!(values("x-json"), [r#"{"id":"id-1","x":{}}"#]);

    assert_eq!(answer.body, "fine");
    assert_eq!(answer.header("server"), None);
    assert_eq!(answer.header("x-powered-by"), None);
    assert_eq!(answer.header("x-answered"), Some("id-1 7%207"));
    let all = |name: &str| {
        let all = answer.headers.get_all(name).iter();
        all.map(|value| value.to_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(all("x-frame-options"), ["DENY"]);
    assert_eq!(all("link"), ["</first>; rel=first", "</next>; rel=next"]);
}

#[tokio::test]
async fn the_gateways_own_answers_carry_the_routes_fields_too() {
    let origin = Origin::start(|_| ok(&[], "fine")).await;
    let gateway = gateway(&origin.url(), ROUTES);
    let path = "/users/7/x";
    let headers = [("x-request-id", "id-2")];
    for _ in 0..2 {
        assert_eq!(get(&gateway, path, &headers).await.status, 200);
    }
    let refused = get(&gateway, path, &headers).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-frame-options"), Some("DENY"));
    assert_eq!(refused.header("x-answered"), Some("id-2 7"));
    assert_eq!(origin.count(), 2);
}
