//! What the fleet keeps together, and what becomes of it when the store is lost.

use super::*;

async fn what_one_keeps_all_have(world: World) {
    let origin = Origin::start(|request, _| {
        let language = request.headers.get("accept-language").cloned();
        let language = language.map_or("none".to_owned(), |one| one.to_str().unwrap().to_owned());
        Reply::new(language)
            .with("cache-control", "max-age=3600")
            .with("vary", "accept-language")
            .with("age", "10")
    })
    .await;
    let [a, b] = world.replicas(&origin, "", "").await;
    for language in ["de", "en"] {
        get(&a, "/x", &[("accept-language", language)]).await;
    }
    assert_eq!(origin.count(), 2);
    for language in ["en", "de"] {
        support::eventually("it is shared", || async {
            let answer = get(&b, "/x", &[("accept-language", language)]).await;
            assert_eq!(text(&answer), language);
            let age: u64 = answer.header("age").unwrap().parse().unwrap();
            assert!(age >= 10, "{age}");
            is_hit(&answer)
        })
        .await;
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_keeps_all_have() {
    what_one_keeps_all_have(World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_embedded_replica_keeps_all_have() {
    what_one_keeps_all_have(World::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_redis_expire_and_name_nobody() {
    let server = Server::start().await;
    let world = World::Redis(server);
    let origin = Origin::start(|_, _| says("max-age=3600")).await;
    let [a, _other] = world.replicas(&origin, "", "").await;
    get(&a, "/secret-path?token=1", &[]).await;
    let World::Redis(server) = &world else {
        unreachable!()
    };
    support::eventually("it is kept", || async {
        let keys: Vec<String> = server
            .run(&["KEYS", "api-gateway:v1:cache:*"])
            .await
            .unwrap();
        for key in &keys {
            assert!(!key.contains("secret"), "{key}");
            let left: i64 = server.run(&["PTTL", key]).await.unwrap();
            assert!(left > 0, "{key} never expires");
        }
        keys.len() >= 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_a_process_keeps_for_itself() {
    let mut server = Server::start().await;
    let origin = Origin::start(|_, _| says("max-age=3600")).await;
    let store = format!("[store]\nurl = \"{}\"\n", server.url());
    let gateway = gateway(&origin, "", &store);
    server.kill();
    for path in ["/x", "/y"] {
        assert_eq!(get(&gateway, path, &[]).await.status, 200);
        assert!(is_hit(&get(&gateway, path, &[]).await));
    }
    assert_eq!(origin.count(), 2);
}
