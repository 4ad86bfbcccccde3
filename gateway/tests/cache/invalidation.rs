//! What a successful write makes untrue: RFC 9111, section 4.4, and what a route names.

use super::*;

const WRITES: &str = r#"
[[routes]]
name = "write"
path = "/{*path}"
upstream = "default"
methods = ["POST", "PUT", "DELETE", "PATCH"]
purge = ["tag:summary"]
"#;

/// Answers with how many requests there were before, so that what is kept is told from what is new; a write as its header says.
async fn origin() -> Origin {
    Origin::start(|request, before| {
        if request.method.is_safe() {
            return Reply::new(before.to_string());
        }
        let wanted = request
            .headers
            .get("x-status")
            .map(|status| status.to_str().unwrap().parse().unwrap());
        Reply::status(wanted.unwrap_or(200))
    })
    .await
}

fn cache() -> String {
    "ttl = \"1h\", tags = [\"summary\"]".to_owned()
}

fn with_writes(world: &World, origin: &Origin) -> Gateway {
    // The reading route takes GET, HEAD and OPTIONS; what follows takes the rest of the same paths.
    let text = format!("{}{WRITES}", file(&cache(), ""));
    match world {
        World::Embedded(store) => {
            let given = Given {
                embedded: Some(store.clone()),
                ..Given::default()
            };
            Gateway::from_file_with(&origin.url(), &text, &given)
        }
        World::Redis(server) => {
            let store = format!("[store]\nurl = \"{}\"\ntimeout = \"5s\"\n", server.url());
            Gateway::from_file(&origin.url(), &format!("{store}{text}"))
        }
    }
}

async fn body(gateway: &Gateway, path: &str) -> String {
    text(&get(gateway, path, &[]).await).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_succeeds_purges_its_target() {
    let origin = origin().await;
    let without_tags = file("ttl = \"1h\"", "") + &WRITES.replace("purge = [\"tag:summary\"]", "");
    let gateway = Gateway::from_file(&origin.url(), &without_tags);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let (x, y) = (body(&gateway, "/x?a=1").await, body(&gateway, "/y").await);
        for (status, purges) in [("500", false), ("404", false), ("200", true), ("303", true)] {
            let before = body(&gateway, "/x?a=1").await;
            send(&gateway, method.clone(), "/x?a=1", &[("x-status", status)]).await;
            let after = body(&gateway, "/x?a=1").await;
            assert_eq!(before != after, purges, "{method} {status}");
        }
        assert_ne!(body(&gateway, "/x?a=1").await, x);
        assert_eq!(body(&gateway, "/y").await, y, "another target was purged");
    }
}

async fn all_replicas_hear(world: World) {
    let origin = origin().await;
    let [a, b] = [0, 1].map(|_| with_writes(&world, &origin));
    for one in [&a, &b] {
        body(one, "/summary").await;
    }
    let before = (body(&a, "/summary").await, body(&b, "/summary").await);
    let asked = origin.count();
    assert_eq!(
        client::send(a.proxy(), client::post("/orders", "x"))
            .await
            .status,
        200
    );
    // Who wrote reads what was written, at once; the others soon.
    assert_ne!(body(&a, "/summary").await, before.0);
    let heard = || async { body(&b, "/summary").await != before.1 };
    support::eventually("the other replica heard of it", heard).await;
    assert!(origin.count() > asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_purges_what_its_route_names_on_every_replica() {
    all_replicas_hear(World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_purges_on_every_embedded_replica() {
    all_replicas_hear(World::embedded()).await;
}

/// The read began before the write and ends after it: what it brings is old, and must not be kept.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_before_a_purge_is_not_kept_after_it() {
    for (path, written) in [("/summary", "/orders"), ("/x", "/x")] {
        let origin = Origin::start(|request, before| {
            let slow = request.method == Method::GET && before == 0;
            let delay = if slow {
                Duration::from_millis(500)
            } else {
                Duration::ZERO
            };
            Reply::new(before.to_string()).after(delay)
        })
        .await;
        let world = World::redis().await;
        let [a, b] = [0, 1].map(|_| with_writes(&world, &origin));
        let old = tokio::spawn(client::get(a.proxy(), path));
        support::eventually("it is asked", || async { origin.count() == 1 }).await;
        client::send(b.proxy(), client::post(written, "x")).await;
        assert_eq!(text(&old.await.unwrap()), "0");
        for one in [&a, &b] {
            assert_ne!(body(one, path).await, "0", "{path}");
        }
    }
}

/// Where the answer to a write leads is purged too; another host's word is not taken for this one's.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_write_leads_is_purged_on_the_same_host_alone() {
    for (field, value, purges) in [
        ("location", "/made", true),
        ("content-location", "http://gateway.test/made", true),
        ("location", "http://elsewhere.test/made", false),
        ("location", "https://gateway.test/made", false),
        ("location", "relative", false),
    ] {
        let origin = Origin::start(move |request, before| {
            if request.method.is_safe() {
                Reply::new(before.to_string())
            } else {
                Reply::status(201).with(field, value)
            }
        })
        .await;
        let text = file("ttl = \"1h\"", "") + &WRITES.replace("purge = [\"tag:summary\"]", "");
        let gateway = Gateway::from_file(&origin.url(), &text);
        let before = body(&gateway, "/made").await;
        assert_eq!(
            client::send(gateway.proxy(), client::post("/things", "x"))
                .await
                .status,
            201
        );
        let after = body(&gateway, "/made").await;
        assert_eq!(before != after, purges, "{field}: {value}");
    }
}
