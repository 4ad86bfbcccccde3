//! Copies of requests to a second upstream.

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use upstream_mock::{Mock, Settings};

use crate::support::client::{Answer, Client, build, post, request};
use crate::support::eventually;
use crate::support::gateway::Gateway;

async fn gateway(main: &str, shadow: &str, mirror: &str) -> Gateway {
    let text = format!(
        r#"
[upstreams.main]
endpoints = ["{main}"]
[upstreams.shadow]
endpoints = ["{shadow}"]
timeout = "30s"
circuit = {{ failures = 2, quorum = 1, reset = "1h" }}
[[routes]]
name = "api"
path = "/api/{{*rest}}"
strip_prefix = "/api"
upstream = "main"
mirror = {{ upstream = "shadow"{mirror} }}
[[routes]]
name = "shadow"
path = "/shadow/{{*rest}}"
strip_prefix = "/shadow"
upstream = "shadow"
"#
    );
    Gateway::from_file("", &text)
}

async fn mock() -> Mock {
    Mock::start(Settings::default()).await.unwrap()
}

fn result(result: &str) -> String {
    format!("gateway_mirror_requests_total{{route=\"api\",result=\"{result}\"}}")
}

#[tokio::test]
async fn a_copy_has_what_the_request_had() {
    let (main, shadow) = (mock().await, mock().await);
    let gateway = gateway(&main.url(), &shadow.url(), "").await;
    let mut client = Client::connect(gateway.proxy()).await;
    let got = client.get("/api/anything?q=1").await;
    assert_eq!(got.status, 200);
    eventually("a copy", async || shadow.recorder().count() == 1).await;
    let answer = Answer::read(client.send(post("/api/echo", "a body")).await).await;
    assert_eq!(answer.json()["body"], "a body");
    eventually("its copy", async || shadow.recorder().count() == 2).await;
    // One whose length nobody knew.
    let pieces = ["one ", "two"].map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter(pieces)));
    let chunked = client
        .send(build(Method::PUT, "/api/echo", &[], body))
        .await;
    assert_eq!(Answer::read(chunked).await.json()["body"], "one two");
    eventually("its copy", async || {
        let last = shadow.recorder().last();
        shadow.recorder().count() == 3 && last.is_some_and(|last| last.body_complete)
    })
    .await;
    let seen = shadow.recorder().requests();
    assert_eq!(seen[0].uri, "/anything?q=1");
    assert!(seen[0].headers.contains_key("x-forwarded-for"));
    assert_eq!(
        (&seen[1].method, &seen[1].body[..]),
        (&Method::POST, &b"a body"[..])
    );
    assert_eq!(
        (&seen[2].method, &seen[2].body[..]),
        (&Method::PUT, &b"one two"[..])
    );
    assert_eq!(seen[2].headers["content-length"], "7");
    eventually("counted", async || {
        gateway.metric(&result("answered")).await == 3.0
    })
    .await;
}

#[tokio::test]
async fn a_shadow_that_hangs_or_is_gone_is_not_noticed() {
    let (main, shadow) = (mock().await, mock().await);
    let hanging = gateway(&main.url(), &shadow.url(), ", max_in_flight = 2").await;
    let mut client = Client::connect(hanging.proxy()).await;
    // The main upstream answers this at once and the shadow never.
    main.set_failing(true);
    for _ in 0..5 {
        let asked = request(Method::GET, "/api/hang", &[]);
        let response = tokio::time::timeout(crate::support::PATIENCE, client.send(asked)).await;
        assert_eq!(Answer::read(response.unwrap()).await.status, 500);
    }
    main.set_failing(false);
    eventually("dropped", async || {
        hanging.metric(&result("dropped")).await == 3.0
    })
    .await;
    assert_eq!(shadow.recorder().count(), 2);

    let gone = gateway(&main.url(), "http://127.0.0.1:9", "").await;
    let mut client = Client::connect(gone.proxy()).await;
    for _ in 0..3 {
        assert_eq!(client.get("/api/ok").await.status, 200);
    }
    eventually("failed", async || {
        gone.metric(&result("failed")).await == 3.0
    })
    .await;
    // Copies say nothing to the circuit, and an open circuit gets none.
    let state = "gateway_circuit_breaker_state{upstream=\"shadow\"}";
    assert_eq!(gone.metric(state).await, 0.0);
    for _ in 0..2 {
        assert_eq!(client.get("/shadow/ok").await.status, 502);
    }
    eventually("open", async || gone.metric(state).await == 2.0).await;
    assert_eq!(client.get("/api/ok").await.status, 200);
    eventually("dropped", async || {
        gone.metric(&result("dropped")).await == 1.0
    })
    .await;
}

#[tokio::test]
async fn a_part_of_the_requests_is_copied_and_no_large_body() {
    let (main, shadow) = (mock().await, mock().await);
    let part = gateway(
        &main.url(),
        &shadow.url(),
        ", share = 0.25, max_in_flight = 1000",
    )
    .await;
    let mut client = Client::connect(part.proxy()).await;
    for _ in 0..400 {
        assert_eq!(client.get("/api/ok").await.status, 200);
    }
    eventually("copies", async || {
        part.metric(&result("answered")).await as u64 == shadow.recorder().count()
    })
    .await;
    // 100 are expected: this misses once in 10^9 runs or so.
    let copies = shadow.recorder().count();
    assert!((45..=160).contains(&copies), "{copies}");

    let small = gateway(&main.url(), &shadow.url(), ", max_body = \"4KiB\"").await;
    let before = shadow.recorder().count();
    let mut client = Client::connect(small.proxy()).await;
    let large = vec![b'x'; 100_000];
    let declared = Answer::read(client.send(post("/api/sink", large.clone())).await).await;
    assert_eq!(declared.status, 200);
    let frame: Result<_, std::convert::Infallible> = Ok(Frame::data(Bytes::from(large)));
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter([frame])));
    let chunked = client
        .send(build(Method::POST, "/api/sink", &[], body))
        .await;
    assert_eq!(Answer::read(chunked).await.status, 200);
    eventually("too large", async || {
        small.metric(&result("too_large")).await == 2.0
    })
    .await;
    assert_eq!(shadow.recorder().count(), before);
}
