//! One order, and every replica reads its configuration again.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use upstream_mock::{Mock, Settings};

use crate::support::client::{Answer, build, get, request, send};
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::redis::Server;
use crate::{FAILURES, File, SUCCESSES, gateway, metric};
use http::Method;
use http_body_util::{BodyExt as _, Full};

const NEW: &str = "[[routes]]\nname = \"new\"\npath = \"/new\"\nrespond = { status = 201 }\n";

async fn order(through: &Process, replicas: serde_json::Value) -> Answer {
    let said = json!({ "replicas": replicas, "author": "mara", "reason": "ticket 4712" });
    let asked = build(
        Method::POST,
        "/api/v1/reload",
        &[("host", "localhost"), ("content-type", "application/json")],
        Full::new(said.to_string().into()).boxed(),
    );
    send(through.admin, asked).await
}

async fn fleet(of: &Process) -> serde_json::Value {
    let asked = request(Method::GET, "/api/v1/fleet", &[("host", "localhost")]);
    send(of.admin, asked).await.json()
}

/// Two replicas with a file each, which see each other.
async fn pair(redis: &Server, files: [&File; 2]) -> [Process; 2] {
    let url = redis.url();
    let more = [
        ("REDIS_URL", url.as_str()),
        ("GATEWAY__STORE__TIMEOUT", "5s"),
    ];
    let pair = [
        gateway(files[0], &more).await,
        gateway(files[1], &more).await,
    ];
    for one in &pair {
        eventually("each sees both", || async {
            fleet(one).await["replicas"].as_array().unwrap().len() == 2
        })
        .await;
    }
    pair
}

#[tokio::test]
async fn every_replica_reads_its_own_file_within_a_second_and_writes_that_down() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let files = [File::new(&mock.url(), NEW), File::new(&mock.url(), NEW)];
    let [a, b] = pair(&redis, [&files[0], &files[1]]).await;
    let other = NEW.replace("/new", "/newer");
    files.iter().for_each(|file| file.write(&other));
    let answer = order(&a, json!("all")).await;
    assert_eq!(
        (answer.status, answer.json()["reloaded"].clone()),
        (200, true.into())
    );
    let started = Instant::now();
    b.event("config_reloaded").await;
    assert!(started.elapsed() < Duration::from_secs(1));
    for one in [&a, &b] {
        assert_eq!(get(one.proxy, "/newer").await.status, 201);
        assert_eq!(metric(one, SUCCESSES).await, 1.0);
        eventually("both entries stand in both", || async {
            let shown = fleet(one).await;
            let entries = shown["audit"].as_array().unwrap().iter();
            let ordered = entries.filter(|entry| {
                entry["action"] == "reload"
                    && entry["by"] == "mara (loopback)"
                    && entry["result"] == "ok"
            });
            ordered.count() == 2
        })
        .await;
    }
}

#[tokio::test]
async fn mistakes_stay_with_the_replica_that_has_them() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let files = [File::new(&mock.url(), NEW), File::new(&mock.url(), NEW)];
    let [a, b] = pair(&redis, [&files[0], &files[1]]).await;
    let name = fleet(&b).await["shown_by"].clone();

    // Its own mistakes: nobody is told.
    files[0].write(&format!("{NEW}limits = [\"nobody\"]\n"));
    let answer = order(&a, json!("all")).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["detail"].as_str().unwrap().contains("nobody"));

    // Another's: that one writes them down.
    files[1].write(&format!("{NEW}limits = [\"somebody\"]\n"));
    assert_eq!(order(&a, json!([name])).await.status, 200);
    eventually("it says what is wrong", || async {
        let shown = fleet(&b).await;
        let entries = shown["audit"].as_array().unwrap().clone();
        entries
            .iter()
            .any(|entry| entry["result"].as_str().unwrap().contains("somebody"))
    })
    .await;
    for (one, failures) in [(&a, 0.0), (&b, 1.0)] {
        assert_eq!(metric(one, FAILURES).await, failures);
        assert_eq!(get(one.proxy, "/new").await.status, 201);
    }
}
