//! gRPC through the gateway: its statuses, its deadlines, and what the gateway says in its words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::server::{Answer, Seen, Speaks, Upstream, streamed, whole};
use crate::support::client::{self, build, post};
use crate::support::gateway::Gateway;
use crate::support::{PATIENCE, eventually};
use crate::{gateway, gateway_with};

/// An empty message.
const MESSAGE: &[u8] = &[0, 0, 0, 0, 0];

/// A call, with more headers.
fn call(path: &str, more: &[(&str, &str)]) -> Request<client::RequestBody> {
    let mut headers = vec![
        ("content-type", "application/grpc+proto"),
        ("te", "trailers"),
    ];
    headers.extend_from_slice(more);
    build(
        Method::POST,
        path,
        &headers,
        Full::new(Bytes::from_static(MESSAGE)).boxed(),
    )
}

async fn ask(gateway: &Gateway, more: &[(&str, &str)]) -> client::Answer {
    client::send(gateway.proxy(), call("/proxy/shop.Cart/Add", more)).await
}

/// An answer without a message: "Trailers-Only".
fn trailers_only(status: &'static str) -> Answer {
    let mut answer = whole("");
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(status));
    answer
}

/// A message, then trailers with `status`.
fn message(status: &'static str) -> Answer {
    let (send, mut answer) = streamed();
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    send.send(Frame::data(Bytes::from_static(MESSAGE))).unwrap();
    send.send(Frame::trailers(trailers)).unwrap();
    answer
}

async fn answering(answer: fn() -> Answer) -> Upstream {
    Upstream::answering(
        Speaks::Http2,
        move |_: Seen, _: Request<Incoming>| async move { answer() },
    )
    .await
}

fn is_refusal(answer: &client::Answer, status: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/grpc+proto")
    );
    assert_eq!(answer.header("grpc-status"), Some(status), "{answer:?}");
    assert!(
        answer
            .header("grpc-message")
            .is_some_and(|text| !text.is_empty())
    );
    assert!(answer.header("proxy-status").is_some());
    assert!(answer.header("x-request-id").is_some());
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_told_so_in_grpcs_words() {
    let dead = gateway("h2c://127.0.0.1:1", &[]);
    is_refusal(&ask(&dead, &[]).await, "14");
    is_refusal(
        &client::send(dead.proxy(), call("/nowhere", &[])).await,
        "12",
    );
    let silent = Upstream::answering(Speaks::Http2, |_, _| std::future::pending()).await;
    let slow = gateway(&silent.url("h2c"), &[("timeout", "100ms")]);
    is_refusal(&ask(&slow, &[]).await, "4");
    // Anything else is told in HTTP's.
    let answer = client::send(dead.proxy(), post("/proxy/x", "{}")).await;
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(answer.header("grpc-status"), None);
}

#[tokio::test]
async fn a_spent_limit_says_when_to_come_back() {
    let upstream = answering(|| message("0")).await;
    let limits = [
        ("RATE_LIMIT_CAPACITY", "1"),
        ("RATE_LIMIT_REFILL_RATE", "1"),
    ];
    let gateway = gateway_with(&upstream.url("h2c"), &[], &limits);
    assert_eq!(ask(&gateway, &[]).await.status, 200);
    let refused = ask(&gateway, &[]).await;
    is_refusal(&refused, "8");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    let pushback = (seconds * 1000).to_string();
    assert_eq!(refused.header("grpc-retry-pushback-ms"), Some(&*pushback));
    assert!(refused.header("ratelimit").is_some());
    assert!(refused.header("ratelimit-policy").is_some());
}

#[tokio::test]
async fn a_call_passes_whole_with_its_trailers() {
    let upstream = answering(|| message("0")).await;
    let gateway = gateway(&upstream.url("h2c"), &[]);
    let mut client = client::Client::connect(gateway.proxy()).await;
    let more = [
        ("connection", "te"),
        ("grpc-timeout", "5S"),
        ("x-meta", "1"),
    ];
    let answer = client.send(call("/proxy/shop.Cart/Add", &more)).await;
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        MESSAGE
    );
    let seen = upstream.seen().remove(0);
    assert_eq!(seen.headers["te"], "trailers");
    assert_eq!(seen.headers["content-type"], "application/grpc+proto");
    assert_eq!(seen.headers["grpc-timeout"], "5S");
    assert_eq!(seen.headers["x-meta"], "1");
    assert_eq!(seen.path, "/shop.Cart/Add");
}

/// HTTP/2 from end to end: each message is there before the next is sent, and trailers are trailers.
#[tokio::test]
async fn a_conversation_goes_both_ways_at_once() {
    let upstream = Upstream::answering(Speaks::Http2, |_, request| async move {
        let (send, answer) = streamed();
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                send.send(frame).unwrap();
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let _ = send.send(Frame::trailers(trailers));
        });
        answer
    })
    .await;
    let gateway = gateway(&upstream.url("h2c"), &[]);
    let stream = tokio::net::TcpStream::connect(gateway.proxy())
        .await
        .unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = |path: &str| {
        Request::post(format!("http://shop.example{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap()
    };
    let (answer, mut up) = client
        .send_request(request("/proxy/shop.Cart/Talk"), false)
        .unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut down = answer.into_body();
    for number in 0..20_u8 {
        let message = Bytes::from(vec![0, 0, 0, 0, 1, number]);
        up.send_data(message.clone(), false).unwrap();
        assert_eq!(down.data().await.unwrap().unwrap(), message);
    }
    up.send_data(Bytes::new(), true).unwrap();
    assert!(down.data().await.is_none());
    assert_eq!(down.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    let seen = upstream.seen().remove(0);
    assert_eq!(seen.headers["te"], "trailers");
    assert_eq!(seen.version, http::Version::HTTP_2);
    // And what the gateway says itself is one header block.
    let (answer, _) = client.send_request(request("/nowhere"), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "12");
    assert!(answer.body().is_end_stream());
}

/// The circuit opens on two calls that end like this.
async fn opens(answer: fn() -> Answer, keys: &[(&str, &str)]) -> bool {
    opens_within(PATIENCE, answer, keys).await
}

/// It does not, although it had time to hear of them.
async fn stays_closed(answer: fn() -> Answer, keys: &[(&str, &str)]) -> bool {
    !opens_within(Duration::from_millis(500), answer, keys).await
}

async fn opens_within(time: Duration, answer: fn() -> Answer, keys: &[(&str, &str)]) -> bool {
    let upstream = answering(answer).await;
    let threshold = [("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "2")];
    let gateway = gateway_with(&upstream.url("h2c"), keys, &threshold);
    for _ in 0..2 {
        // Its own status, not one of the gateway's.
        assert_eq!(ask(&gateway, &[]).await.header("proxy-status"), None);
    }
    // Of what came in trailers the circuit hears beside the answer.
    let state = r#"gateway_circuit_breaker_state{upstream="default"}"#;
    let deadline = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < deadline {
        if gateway.metric(state).await > 1.0 {
            let refused = ask(&gateway, &[]).await;
            is_refusal(&refused, "14");
            assert!(refused.header("grpc-retry-pushback-ms").is_some());
            assert_eq!(upstream.seen().len(), 2);
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn a_call_that_fails_counts_as_a_failure_of_the_upstream() {
    assert!(opens(|| trailers_only("14"), &[]).await);
    assert!(opens(|| trailers_only("13"), &[]).await);
    // After its message it is one call more, beside the one that began well: a share of all counts it.
    let share = [
        ("circuit.ratio.threshold", "0.4"),
        ("circuit.ratio.minimum", "4"),
    ];
    assert!(opens(|| message("14"), &share).await);
    assert!(stays_closed(|| message("0"), &share).await);
    // What the client did wrong, or wanted too soon, does not.
    assert!(stays_closed(|| trailers_only("3"), &[]).await);
    assert!(stays_closed(|| trailers_only("4"), &[]).await);
    assert!(stays_closed(|| message("0"), &[]).await);
}

#[tokio::test]
async fn which_statuses_are_failures_is_configured() {
    let keys = [("grpc_failure_statuses", r#"["NOT_FOUND"]"#)];
    assert!(opens(|| trailers_only("5"), &keys).await);
    assert!(stays_closed(|| trailers_only("14"), &keys).await);
}

#[tokio::test]
async fn a_client_that_waits_less_is_answered_sooner_and_blames_nobody() {
    let silent = Upstream::answering(Speaks::Http2, |seen, _| async move {
        if seen.headers.contains_key("grpc-timeout") {
            std::future::pending::<()>().await;
        }
        message("0")
    })
    .await;
    let threshold = [("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "1")];
    let gateway = gateway_with(&silent.url("h2c"), &[("timeout", "60s")], &threshold);
    for timeout in ["100m", "1n", "200000u"] {
        is_refusal(&ask(&gateway, &[("grpc-timeout", timeout)]).await, "4");
    }
    let answer = ask(&gateway, &[]).await;
    assert_eq!((answer.status, &answer.body[..]), (200, MESSAGE));
    // One that waits longer than the upstream may take is no reason to wait longer.
    let short = gateway_with(&silent.url("h2c"), &[("timeout", "100ms")], &threshold);
    is_refusal(&ask(&short, &[("grpc-timeout", "1H")]).await, "4");
    eventually("the circuit is open", async || {
        ask(&short, &[]).await.header("grpc-status") == Some("14")
    })
    .await;
}

/// Answers by path: only the first of its calls fails on `/once`.
fn unsteady(path: &str, failed: &AtomicBool) -> Answer {
    match path {
        "/once" if !failed.swap(true, Ordering::SeqCst) => trailers_only("14"),
        "/missing" => trailers_only("5"),
        "/late" => message("14"),
        "/pushed" => {
            let mut answer = trailers_only("14");
            let no = HeaderValue::from_static("-1");
            answer.headers_mut().insert("grpc-retry-pushback-ms", no);
            answer
        }
        _ => message("0"),
    }
}

#[tokio::test]
async fn a_call_that_was_turned_away_is_sent_again_where_the_route_says_so() {
    let failed = Arc::new(AtomicBool::new(false));
    let upstream = Upstream::answering(Speaks::Http2, move |seen, _| {
        let failed = Arc::clone(&failed);
        async move { unsteady(&seen.path, &failed) }
    })
    .await;
    let text = r#"
[upstreams.api]
endpoints = ["UPSTREAM"]
[[routes]]
name = "api"
path = "/{*path}"
upstream = "api"
retry = { attempts = 3, initial_delay = "1ms", methods = ["POST"], grpc_statuses = ["UNAVAILABLE"] }
"#;
    let gateway = Gateway::from_file(&upstream.url("h2c"), text);
    for (path, status, times) in [
        ("/once", None, 2),
        // Another status, a message already there, and an upstream that wants none.
        ("/missing", Some("5"), 1),
        ("/late", None, 1),
        ("/pushed", Some("14"), 1),
    ] {
        let answer = client::send(gateway.proxy(), call(path, &[])).await;
        assert_eq!(answer.header("grpc-status"), status, "{path}");
        let seen = upstream
            .seen()
            .iter()
            .filter(|one| one.path == path)
            .count();
        assert_eq!(seen, times, "{path}");
    }
    let retries = r#"gateway_retries_total{route="api",reason="grpc_14"}"#;
    assert_eq!(gateway.metric(retries).await, 1.0);
}
