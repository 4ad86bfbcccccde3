//! What limits count by.

use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::support::redis::Server;
use crate::tokens::{SECRET, bearer};
use crate::{World, route, sha256};

const SPARSE: &str = "capacity = 1\nrefill = \"1/1h\"\n";

async fn world(key: &str) -> World {
    let keys: String = ["alice", "bob"]
        .map(|id| format!("[[keys]]\nid = \"{id}\"\nsha256 = \"{}\"\n", sha256(id)))
        .concat();
    let text = format!(
        "[auth.keys]\napi_keys = {{ file = \"DIR/keys\" }}\n[auth.tokens]\njwt = {{ secret_file = \"DIR/secret\", algorithms = [\"HS256\"], audience = \"api\" }}\n\
         [limits.each]\n{SPARSE}key = {key}\n{}\
         [[routes]]\nname = \"b\"\npath = \"/b/{{tenant}}\"\nupstream = \"default\"\nlimits = [\"each\"]\n\
         [[routes]]\nname = \"open\"\npath = \"/open\"\nupstream = \"default\"\nlimits = [\"each\"]\n",
        route("\"keys\", \"tokens\"", "\"each\"")
    );
    World::start(&[("keys", &keys), ("secret", SECRET)], &text).await
}

/// Of requests with one token for each key: which pass.
async fn passes(world: &World, requests: &[(&str, &[(&str, &str)])]) -> Vec<bool> {
    let mut passed = Vec::new();
    for (path, headers) in requests {
        passed.push(world.get(path, headers).await.status == 200);
    }
    passed
}

#[tokio::test]
async fn an_api_key_a_subject_and_a_claim_are_counted_each() {
    let (alice, bob) = ([("x-api-key", "alice")], [("x-api-key", "bob")]);
    for key in ["\"api_key\"", "\"subject\"", "[\"subject\", \"route\"]"] {
        let world = world(key).await;
        let said = passes(&world, &[("/a", &alice), ("/a", &alice), ("/a", &bob)]).await;
        assert_eq!(said, [true, false, true], "{key}");
    }
    let world = world("\"claim:tenant\"").await;
    let of = |sub: &str, tenant: &str| {
        bearer(
            Algorithm::HS256,
            None,
            &json!({"sub": sub, "tenant": tenant}),
        )
    };
    let tokens = [of("x", "acme"), of("y", "acme"), of("x", "other")];
    let headers = tokens
        .each_ref()
        .map(|token| [("authorization", token.as_str())]);
    let requests = headers.each_ref().map(|headers| ("/a", &headers[..]));
    assert_eq!(passes(&world, &requests).await, [true, false, true]);
}

#[tokio::test]
async fn a_header_a_cookie_and_a_path_are_counted_each() {
    let tenant = |name| [("x-tenant", name)];
    let (one, two) = (tenant("one"), tenant("two"));
    let header = world("\"header:x-tenant\"").await;
    let said = passes(
        &header,
        &[("/open", &one), ("/open", &one), ("/open", &two)],
    )
    .await;
    assert_eq!(said, [true, false, true]);
    let cookie = world("\"cookie:sid\"").await;
    let (one, two) = ([("cookie", "x=1; sid=one")], [("cookie", "sid=two")]);
    let said = passes(
        &cookie,
        &[("/open", &one), ("/open", &one), ("/open", &two)],
    )
    .await;
    assert_eq!(said, [true, false, true]);
    let path = world("\"path:tenant\"").await;
    let said = passes(
        &path,
        &[("/b/one", &[]), ("/b/%6fne", &[]), ("/b/two", &[])],
    )
    .await;
    assert_eq!(said, [true, false, true]);
}

#[tokio::test]
async fn parts_are_taken_together() {
    let world = world("[\"client\", \"route\"]").await;
    let from = |address| [("x-forwarded-for", address)];
    let (one, two) = (from("192.0.2.1"), from("192.0.2.2"));
    let said = passes(
        &world,
        &[
            ("/open", &one),
            ("/open", &one),
            ("/open", &two),
            ("/b/x", &one),
        ],
    )
    .await;
    assert_eq!(said, [true, false, true, true]);
}

#[tokio::test]
async fn who_lacks_the_key_counts_by_address_and_cannot_take_anothers() {
    let world = world("\"header:x-tenant\"").await;
    let lacks = [("x-forwarded-for", "192.0.2.1")];
    let claims = [("x-forwarded-for", "192.0.2.9"), ("x-tenant", "192.0.2.1")];
    let other = [("x-forwarded-for", "192.0.2.2")];
    let requests: [(&str, &[(&str, &str)]); 4] = [
        ("/open", &claims),
        ("/open", &lacks),
        ("/open", &lacks),
        ("/open", &other),
    ];
    assert_eq!(passes(&world, &requests).await, [true, true, false, true]);
}

#[tokio::test]
async fn keys_in_the_store_are_short_plain_and_no_secrets() {
    let redis = Server::start().await;
    let text = format!(
        "[store]\nurl = \"{}\"\ntimeout = \"5s\"\n[limits.tenant]\ncapacity = 10\nrefill = \"1/1h\"\nkey = \"header:x-tenant\"\n[limits.session]\ncapacity = 10\nrefill = \"1/1h\"\nkey = \"cookie:sid\"\n[limits.secret]\ncapacity = 10\nrefill = \"1/1h\"\nkey = [\"header:authorization\", \"route\"]\n{}",
        redis.url(),
        route("", "\"tenant\", \"session\", \"secret\"")
    );
    let world = World::start(&[], &text).await;
    let long = "x".repeat(4_000);
    for tenant in ["plain", "{odd} key", &long] {
        let headers = [
            ("x-tenant", tenant),
            ("cookie", "sid=hush"),
            ("authorization", "hush"),
        ];
        let headers = headers.map(|(name, value)| (name, value));
        let _ = world.status(&headers).await;
    }
    let mut names: Vec<String> = redis
        .run(&["KEYS", "api-gateway:v1:limit:*"])
        .await
        .unwrap();
    names.sort();
    assert!(
        names.contains(&"api-gateway:v1:limit:{tenant:header:plain}".to_owned()),
        "{names:?}"
    );
    for name in &names {
        assert!(
            name.len() < 200 && !name.contains("hush") && !name.contains("odd"),
            "{name}"
        );
    }
    let hashed = |limit: &str| {
        let start = format!("api-gateway:v1:limit:{{{limit}");
        names.iter().filter(|name| name.starts_with(&start)).count()
    };
    assert_eq!(hashed("tenant:header:#"), 2, "{names:?}");
    assert_eq!(hashed("session:cookie:#"), 1, "{names:?}");
    assert_eq!(hashed("secret:header:#"), 1, "{names:?}");
}
