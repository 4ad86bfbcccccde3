//! Another service is asked.

use crate::service::{Service, answer};
use crate::support::eventually;
use crate::{World, route, sha256};

fn text(service: &Service, more: &str) -> String {
    format!(
        "[upstreams.referee]\nendpoints = [\"{}\"]\n[auth.referee]\nexternal = {{ upstream = \"referee\", path = \"/check?v=1\", request_headers = [\"x-token\"], response_headers = [\"x-role\"]{more} }}\n",
        service.url()
    )
}

#[tokio::test]
async fn an_agreement_lets_pass_and_tells_the_upstream_more() {
    let agrees = answer("200 OK", "X-Role: admin\r\nX-Other: 1\r\n", "fine");
    let service = Service::start(agrees).await;
    let keys = format!("[[keys]]\nid = \"alice\"\nsha256 = \"{}\"\n", sha256("k"));
    let text = format!(
        "{}[auth.keys]\napi_keys = {{ file = \"DIR/keys\" }}\n{}",
        text(&service, ""),
        route("\"referee\", \"keys\"", "")
    );
    let world = World::start(&[("keys", &keys)], &text).await;
    let said = [
        ("x-api-key", "k"),
        ("x-token", "t"),
        ("x-role", "root"),
        ("cookie", "c=1"),
    ];
    for _ in 0..3 {
        let answer = world.get("/a?q=1", &said).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(world.told("x-role").as_deref(), Some("admin"));
    assert_eq!(world.told("x-other"), None);
    assert_eq!(
        world.told("x-authenticated-subject").as_deref(),
        Some("alice")
    );
    let asked = service.last();
    for line in [
        "get /check?v=1 http/1.1\r\n",
        "x-token: t\r\n",
        "x-forwarded-method: get\r\n",
        "x-forwarded-uri: /a?q=1\r\n",
        "x-authenticated-subject: alice\r\n",
    ] {
        assert!(asked.contains(line), "no {line:?} in {asked}");
    }
    assert!(
        !asked.contains("cookie") && !asked.contains("x-api-key"),
        "{asked}"
    );
    assert_eq!(world.status(&[]).await, 401);
    assert_eq!(service.asked(), 3, "who shows nothing is not asked about");
}

#[tokio::test]
async fn a_refusal_is_the_services_own() {
    let refuses = answer(
        "401 Unauthorized",
        "WWW-Authenticate: Own realm=\"x\"\r\n",
        "go away",
    );
    let service = Service::start(refuses).await;
    let text = format!("{}{}", text(&service, ""), route("\"referee\"", ""));
    let world = World::start(&[], &text).await;
    let refused = world.get("/a", &[]).await;
    assert_eq!(refused.status, 401);
    assert_eq!(&refused.body[..], b"go away");
    assert_eq!(refused.header("www-authenticate"), Some("Own realm=\"x\""));
    service.says(answer("403 Forbidden", "", ""));
    assert_eq!(world.status(&[]).await, 403);
    assert_eq!(world.mock.recorder().count(), 0);
}

#[tokio::test]
async fn without_an_answer_the_policy_decides() {
    let service = Service::start(String::new()).await;
    let quick = ", timeout = \"50ms\"";
    let denies = format!("{}{}", text(&service, quick), route("\"referee\"", ""));
    let denies = World::start(&[], &denies).await;
    let refused = denies.get("/a", &[]).await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    let more = format!("{quick}, on_failure = \"allow\"");
    let allows = format!("{}{}", text(&service, &more), route("\"referee\"", ""));
    let allows = World::start(&[], &allows).await;
    // Sooner or later by the circuit, which no longer asks a service that does not answer.
    for _ in 0..8 {
        assert_eq!(allows.status(&[]).await, 200);
    }
    let asked = service.asked();
    assert!(asked <= 7, "asked {asked} times");
    service.says(answer("500 Oops", "", ""));
    eventually("an error is no agreement", || async {
        denies.status(&[]).await == 503
    })
    .await;
}
