//! What operators order away: `POST /api/v1/cache/purge`.

use super::*;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

async fn order(gateway: &Gateway, words: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("host", "localhost")];
    let body = Full::new(words.to_string().into()).boxed();
    let request = client::build(Method::POST, "/api/v1/cache/purge", &headers, body);
    client::send(gateway.admin(), request).await
}

async fn purged_everywhere(world: World, words: Value, kept: &str, gone: &str) {
    let origin = Origin::start(|_, before| Reply::new(before.to_string())).await;
    let cache = "ttl = \"1h\", tags = [\"summary\"]";
    let [a, b] = world.replicas(&origin, cache, "").await;
    for one in [&a, &b] {
        get(one, "/x?a=1", &[]).await;
        get(one, "/y", &[]).await;
    }
    let before: Vec<String> = read(&[&a, &b], "/x?a=1").await;
    let others: Vec<String> = read(&[&a, &b], "/y").await;
    let done = order(&a, &words).await;
    assert_eq!(done.status, 200, "{}", text(&done));
    let purged = || async {
        let after = read(&[&a, &b], "/x?a=1").await;
        before.iter().zip(&after).all(|(one, other)| one != other)
    };
    support::eventually(gone, purged).await;
    if !kept.is_empty() {
        assert_eq!(read(&[&a, &b], kept).await, others);
    }
    let audit = client::send(
        a.admin(),
        client::request(Method::GET, "/api/v1/audit", &[("host", "localhost")]),
    )
    .await
    .json();
    assert_eq!(audit[0]["action"], "cache.purge", "{audit}");
    assert_eq!(audit[0]["reason"], "wrong prices");
}

async fn read(replicas: &[&Gateway], path: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    for one in replicas {
        bodies.push(text(&get(one, path, &[]).await).to_owned());
    }
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_purged_on_every_replica() {
    let words = json!({ "tag": "summary", "reason": "wrong prices" });
    purged_everywhere(World::redis().await, words, "", "all").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_purged_on_every_embedded_replica() {
    let words = json!({ "route": "api", "reason": "wrong prices" });
    purged_everywhere(World::embedded(), words, "", "all").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_purged_on_every_replica_and_no_other_is() {
    let words = json!({ "url": "http://gateway.test/x?a=1", "reason": "wrong prices" });
    purged_everywhere(World::redis().await, words, "/y", "one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_what_and_why() {
    let origin = Origin::start(|_, _| Reply::new("x")).await;
    let gateway = gateway(&origin, "ttl = \"1h\", tags = [\"summary\"]", "");
    for (words, status) in [
        (json!({ "tag": "summary" }), 400),
        (json!({ "reason": "x" }), 400),
        (
            json!({ "tag": "summary", "route": "api", "reason": "x" }),
            400,
        ),
        (json!({ "tag": "unknown", "reason": "x" }), 404),
        (json!({ "route": "unknown", "reason": "x" }), 404),
        (json!({ "url": "/x", "reason": "x" }), 400),
        (json!({ "tag": "summary", "reason": "x" }), 200),
    ] {
        let answer = order(&gateway, &words).await;
        assert_eq!(answer.status, status, "{words}: {}", text(&answer));
    }
}
