//! Keys that were handed out: in a file, in the shared store, and when that is lost.

use crate::support::eventually;
use crate::support::redis::Server;
use crate::{World, route, sha256};

fn file() -> String {
    format!(
        "[[keys]]\nid = \"alice\"\nsha256 = \"{}\"\nplan = \"pro\"\n\
         [[keys]]\nid = \"bob\"\nsha256 = \"{}\"\n\
         [[keys]]\nid = \"carol\"\nsha256 = \"{}\"\nexpires = \"2001-01-01T00:00:00Z\"\n",
        sha256("key-of-alice"),
        sha256("key-of-bob"),
        sha256("key-of-carol"),
    )
}

fn text(more: &str) -> String {
    format!(
        "[auth.partners]\nplan = \"free\"\napi_keys = {{ file = \"DIR/keys.toml\"{more} }}\n{}",
        route("\"partners\"", "")
    )
}

#[tokio::test]
async fn a_key_comes_in_by_its_hash_and_stays_at_the_gateway() {
    let world = World::start(&[("keys.toml", &file())], &text("")).await;
    assert_eq!(world.status(&[("x-api-key", "key-of-alice")]).await, 200);
    let told = |name| world.told(name).unwrap_or_default();
    assert_eq!(told("x-authenticated-subject"), "alice");
    assert_eq!(told("x-authenticated-plan"), "pro");
    assert_eq!(told("x-api-key"), "");
    assert_eq!(world.status(&[("x-api-key", "key-of-bob")]).await, 200);
    let told = |name| world.told(name).unwrap_or_default();
    assert_eq!(
        told("x-authenticated-plan"),
        "free",
        "the plan of those without one"
    );
    let long = "k".repeat(600);
    for bad in [
        "key-of-carol",
        "key-of-nobody",
        "",
        &long,
        &sha256("key-of-alice"),
    ] {
        let answer = world.get("/a", &[("x-api-key", bad)]).await;
        assert_eq!(answer.status, 401, "{bad}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(
            challenge,
            Some("ApiKey realm=\"partners\", header=\"x-api-key\"")
        );
    }
    let twice = [("x-api-key", "key-of-alice"), ("x-api-key", "key-of-bob")];
    assert_eq!(world.status(&twice).await, 400);
    assert_eq!(world.mock.recorder().count(), 2);
    assert!(world.dir().exists());
}

#[tokio::test]
async fn a_key_in_the_query_does_not_go_upstream() {
    let world = World::start(&[("keys.toml", &file())], &text(", query = \"api_key\"")).await;
    let path = |query: &str| format!("/a?x=1&{query}&y=%26");
    let answer = world.get(&path("api_key=key-of-alice"), &[]).await;
    assert_eq!(answer.status, 200);
    let last = world.mock.recorder().last().unwrap();
    assert_eq!(last.uri.query(), Some("x=1&y=%26"));
    assert_eq!(world.get(&path("api_key=other"), &[]).await.status, 401);
    let path = path("api_key=key-of-bob");
    let both = world.get(&path, &[("x-api-key", "key-of-alice")]);
    assert_eq!(both.await.status, 400);
}

#[tokio::test]
async fn the_first_way_that_knows_what_is_shown_decides() {
    let other = format!(
        "[[keys]]\nid = \"dave\"\nsha256 = \"{}\"\n",
        sha256("key-of-dave")
    );
    let text = format!(
        "[auth.one]\napi_keys = {{ file = \"DIR/keys.toml\" }}\n[auth.two]\napi_keys = {{ file = \"DIR/more.toml\" }}\n[auth.door]\nbasic = {{ file = \"DIR/users\" }}\n{}",
        route("\"one\", \"two\", \"door\"", "")
    );
    let users = format!("erin:{}\n", bcrypt::hash("pass", 4).unwrap());
    let files = [
        ("keys.toml", file()),
        ("more.toml", other),
        ("users", users),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let world = World::start(&files, &text).await;
    for (header, value, subject) in [
        ("x-api-key", "key-of-alice", "alice"),
        ("x-api-key", "key-of-dave", "dave"),
        ("authorization", "Basic ZXJpbjpwYXNz", "erin"),
    ] {
        assert_eq!(world.status(&[(header, value)]).await, 200, "{subject}");
        assert_eq!(
            world.told("x-authenticated-subject").as_deref(),
            Some(subject)
        );
    }
    let nothing = world.get("/a", &[]).await;
    let all: Vec<_> = nothing.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(all.len(), 3, "{all:?}");
}

async fn hand_out(redis: &Server, key: &str, fields: &[&str]) {
    let name = format!("api-gateway:v1:apikey:{}", sha256(key));
    let words = [&["HSET", &name][..], fields].concat();
    let _: u64 = redis.run(&words).await.unwrap();
}

fn stored(redis: &Server, more: &str) -> String {
    format!(
        "[store]\nurl = \"{}\"\ntimeout = \"5s\"\nheartbeat = \"100ms\"\n[auth.partners]\napi_keys = {{ store = true{more} }}\n{}",
        redis.url(),
        route("\"partners\"", "")
    )
}

#[tokio::test]
async fn keys_in_the_store_are_known_asked_for_once_and_can_be_withdrawn() {
    let redis = Server::start().await;
    hand_out(&redis, "key-of-alice", &["id", "alice", "plan", "pro"]).await;
    hand_out(
        &redis,
        "key-of-carol",
        &["id", "carol", "expires", "1000000000"],
    )
    .await;
    let world = World::start(&[], &stored(&redis, "")).await;
    for _ in 0..20 {
        assert_eq!(world.status(&[("x-api-key", "key-of-alice")]).await, 200);
        assert_eq!(world.status(&[("x-api-key", "key-of-nobody")]).await, 401);
    }
    assert_eq!(
        world.status(&[("x-api-key", "key-of-carol")]).await,
        401,
        "it has ended"
    );
    assert_eq!(world.told("x-authenticated-plan").as_deref(), Some("pro"));
    let asked = "gateway_store_operations_total{op=\"recognise\",result=\"ok\"}";
    let asked = world.gateway.metric(asked).await;
    assert!(asked < 8.0, "{asked} questions for 41 requests");
    let name = format!("api-gateway:v1:apikey:{}", sha256("key-of-alice"));
    let _: u64 = redis.run(&["DEL", &name]).await.unwrap();
    eventually("it is withdrawn", || async {
        world.status(&[("x-api-key", "key-of-alice")]).await == 401
    })
    .await;
}

#[tokio::test]
async fn without_the_store_its_last_answer_counts_and_strangers_wait() {
    let mut redis = Server::start().await;
    hand_out(&redis, "key-of-alice", &["id", "alice"]).await;
    let world = World::start(&[], &stored(&redis, "")).await;
    assert_eq!(world.status(&[("x-api-key", "key-of-alice")]).await, 200);
    assert_eq!(world.status(&[("x-api-key", "key-of-nobody")]).await, 401);
    redis.kill();
    eventually("the store is missed", || async {
        world.status(&[("x-api-key", "key-of-bob")]).await == 503
    })
    .await;
    assert_eq!(world.status(&[("x-api-key", "key-of-alice")]).await, 200);
    assert_eq!(world.status(&[("x-api-key", "key-of-nobody")]).await, 401);
}

#[tokio::test]
async fn a_route_may_stay_open_without_the_store() {
    let mut redis = Server::start().await;
    let text = stored(&redis, ", on_failure = \"allow\"");
    redis.kill();
    let world = World::start(&[], &text).await;
    assert_eq!(world.status(&[("x-api-key", "key-of-bob")]).await, 200);
    assert_eq!(world.told("x-authenticated-subject"), None);
    assert!(world.decisions("partners", "unchecked").await > 0.5);
}
