//! What is never kept for all: RFC 9111, sections 3 and 3.5, and what names one client.

use super::*;

const AUTHORIZED: &[(&str, &str)] = &[("authorization", "Basic eA==")];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_one_client_is_not_kept() {
    let hour = "max-age=3600";
    table(
        "",
        vec![
            case("no-store", false, says("max-age=3600, no-store")),
            case("private", false, says("max-age=3600, private")),
            case(
                "private-field",
                false,
                says("max-age=3600, private=\"x-a\""),
            ),
            case("no-cache", false, says("max-age=3600, no-cache")),
            case("set-cookie", false, says(hour).with("set-cookie", "a=b")),
            case("vary-star", false, says(hour).with("vary", "*")),
            case("authorized", false, says(hour)).asked(AUTHORIZED, AUTHORIZED),
            case("authorized-then-not", false, says(hour)).asked(AUTHORIZED, &[]),
            case("not-then-authorized", false, says(hour)).asked(&[], AUTHORIZED),
            case("authorized-public", true, says("public, max-age=3600"))
                .asked(AUTHORIZED, AUTHORIZED),
            case("authorized-s-maxage", true, says("s-maxage=3600")).asked(AUTHORIZED, &[]),
            case(
                "authorized-must-revalidate",
                true,
                says("max-age=3600, must-revalidate"),
            )
            .asked(AUTHORIZED, &[]),
        ],
    )
    .await;
    let shared = vec![case("authorized", true, Reply::new("body")).asked(AUTHORIZED, AUTHORIZED)];
    table("ttl = \"1h\", ignore_authorization = true", shared).await;
    let own = vec![case("authorized", false, Reply::new("body")).asked(AUTHORIZED, AUTHORIZED)];
    table("ttl = \"1h\"", own).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_one_clients_requests_is_taken_off() {
    let origin = Origin::start(|_, _| {
        says("max-age=3600")
            .with("ratelimit", "\"a\";r=1")
            .with("ratelimit-policy", "\"a\";q=1")
            .with("x-ratelimit-remaining", "1")
            .with("connection", "x-hop")
            .with("x-hop", "1")
    })
    .await;
    let gateway = gateway(&origin, "", "");
    let first = get(&gateway, "/x", &[]).await;
    assert!(first.headers.contains_key("x-ratelimit-remaining"));
    let second = get(&gateway, "/x", &[]).await;
    assert!(is_hit(&second), "{}", did(&second));
    for name in [
        "ratelimit",
        "ratelimit-policy",
        "x-ratelimit-remaining",
        "x-hop",
    ] {
        assert!(!second.headers.contains_key(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_and_guarded_requests_go_to_the_origin() {
    let origin = Origin::start(|_, _| says("max-age=3600").with("etag", "\"a\"")).await;
    let gateway = gateway(&origin, "", "");
    get(&gateway, "/x", &[]).await;
    let options = send(&gateway, Method::OPTIONS, "/x", &[]).await;
    assert!(did(&options).ends_with("; fwd=method"), "{}", did(&options));
    let guarded = get(&gateway, "/x", &[("if-match", "\"b\"")]).await;
    assert!(did(&guarded).ends_with("; fwd=bypass"), "{}", did(&guarded));
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_costs_a_token_too() {
    let origin = Origin::start(|_, _| says("max-age=3600")).await;
    let text = file("", "[limits.tight]\ncapacity = 2\nrefill = \"1/1h\"\n")
        .replace("path =", "limits = [\"tight\"]\npath =");
    let gateway = Gateway::from_file(&origin.url(), &text);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(get(&gateway, "/x", &[]).await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(origin.count(), 1);
}

/// Who was let in is no longer seen in the request: what showed it has been taken off. It is one client's all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_to_who_was_let_in_is_for_them_alone() {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    let keys = tempfile::NamedTempFile::new().unwrap();
    let mut text = String::new();
    for key in ["one", "two"] {
        let hash: String = sha2::Sha256::digest(key)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        writeln!(text, "[[keys]]\nid = \"{key}\"\nsha256 = \"{hash}\"").unwrap();
    }
    std::fs::write(keys.path(), text).unwrap();
    let guard = format!(
        "[auth.keys]\napi_keys = {{ file = \"{}\" }}\n",
        keys.path().display()
    );
    for (cache, shared) in [
        ("ttl = \"1h\"", false),
        ("ttl = \"1h\", ignore_authorization = true", true),
    ] {
        let origin = Origin::start(|request, _| {
            let subject = request.headers.get("x-authenticated-subject").unwrap();
            Reply::new(subject.to_str().unwrap().to_owned())
        })
        .await;
        let file = file(cache, &guard).replace("path =", "auth = [\"keys\"]\npath =");
        let gateway = Gateway::from_file(&origin.url(), &file);
        for key in ["one", "two", "one"] {
            let answer = get(&gateway, "/x", &[("x-api-key", key)]).await;
            assert_eq!(super::text(&answer), if shared { "one" } else { key });
        }
        assert_eq!(get(&gateway, "/x", &[]).await.status, 401);
        assert_eq!(origin.count(), if shared { 1 } else { 3 });
    }
}
