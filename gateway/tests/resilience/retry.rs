//! What is sent again, where to, and what is not.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::Instant;

use crate::support::client::{RequestBody, build, post, request, send};
use crate::upstream::{Reply, Upstream};
use crate::{gateway, gateway_to};

const TWICE: &str = r#"retry = { attempts = 2, initial_delay = "1ms" }"#;

fn once(first: Reply) -> impl Fn(usize) -> Reply + Send + Sync + 'static {
    move |number| match number {
        0 => first.clone(),
        _ => Reply::Status(200),
    }
}

/// A body of so many pieces, without a declared length.
fn pieces(count: usize, length: usize) -> RequestBody {
    let frame = move |number: usize| {
        let piece = vec![u8::try_from(number % 251).unwrap(); length];
        Ok(http_body::Frame::data(Bytes::from(piece)))
    };
    StreamBody::new(futures_util::stream::iter((0..count).map(frame))).boxed()
}

#[tokio::test]
async fn a_body_is_sent_again_from_its_beginning() {
    for first in [Reply::Status(503), Reply::Early(503)] {
        for declared in [true, false] {
            let upstream = Upstream::start(once(first.clone())).await;
            let gateway = gateway(&upstream.url(), "", TWICE);
            let body = if declared {
                http_body_util::Full::new(Bytes::from(vec![7; 30_000])).boxed()
            } else {
                pieces(60, 500)
            };
            let answer = send(gateway.proxy(), build(Method::PUT, "/x", &[], body)).await;
            assert_eq!((answer.status, upstream.count()), (200, 2));
            let expected = if declared {
                Bytes::from(vec![7; 30_000])
            } else {
                pieces(60, 500).collect().await.unwrap().to_bytes()
            };
            assert!(upstream.bodies().last() == Some(&expected));
        }
    }
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_sent_once() {
    let route = r#"retry = { attempts = 3, initial_delay = "1ms", max_body = "1KiB" }"#;
    for body in [
        pieces(10, 500),
        http_body_util::Full::new(Bytes::from(vec![7; 5_000])).boxed(),
    ] {
        let upstream = Upstream::start(once(Reply::Status(503))).await;
        let gateway = gateway(&upstream.url(), "", route);
        let answer = send(gateway.proxy(), build(Method::PUT, "/x", &[], body)).await;
        assert_eq!((answer.status, upstream.count()), (503, 1));
        assert_eq!(upstream.bodies()[0].len(), 5_000);
    }
}

#[tokio::test]
async fn a_post_is_repeated_only_if_the_route_says_so_or_nothing_was_sent() {
    let upstream = Upstream::start(once(Reply::Status(503))).await;
    let plain = gateway(&upstream.url(), "", TWICE);
    let answer = send(plain.proxy(), post("/x", "order")).await;
    assert_eq!((answer.status, upstream.count()), (503, 1));

    let upstream = Upstream::start(once(Reply::Status(503))).await;
    let route = r#"retry = { attempts = 2, initial_delay = "1ms", methods = ["POST"] }"#;
    let listed = gateway(&upstream.url(), "", route);
    let answer = send(listed.proxy(), post("/x", "order")).await;
    assert_eq!((answer.status, upstream.count()), (200, 2));
    assert_eq!(upstream.bodies(), ["order", "order"]);

    // Nobody listens at the first endpoint; nothing of a body of any size was sent there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let upstream = Upstream::start(|_| Reply::Status(200)).await;
    let elsewhere = gateway_to(&[&nobody, &upstream.url()], "", TWICE);
    for _ in 0..4 {
        let answer = send(elsewhere.proxy(), post("/x", vec![7; 1 << 20])).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(upstream.count(), 4);
    let sample = r#"gateway_retries_total{route="api",reason="connect_error"}"#;
    assert!(elsewhere.metric(sample).await > 0.5);
}

#[tokio::test]
async fn a_retry_goes_to_another_endpoint() {
    let sick = Upstream::start(|_| Reply::Status(503)).await;
    let well = Upstream::start(|_| Reply::Status(200)).await;
    let gateway = gateway_to(&[&sick.url(), &well.url()], "", TWICE);
    for _ in 0..10 {
        assert_eq!(gateway.get("/x").await.status, 200);
    }
    assert_eq!(well.count(), 10);
    assert!(sick.count() > 0);
    let sample = r#"gateway_retries_total{route="api",reason="503"}"#;
    let retries = gateway.metric(sample).await;
    assert!((retries - sick.count() as f64).abs() < 0.5, "{retries}");
}

#[tokio::test]
async fn statuses_and_errors_are_the_routes_choice() {
    let upstream = Upstream::start(once(Reply::Status(500))).await;
    let route = r#"retry = { attempts = 2, initial_delay = "1ms", statuses = [500] }"#;
    let gateway_500 = gateway(&upstream.url(), "", route);
    assert_eq!(gateway_500.get("/x").await.status, 200);

    let upstream = Upstream::start(once(Reply::Status(503))).await;
    let gateway_500 = gateway(&upstream.url(), "", route);
    assert_eq!(gateway_500.get("/x").await.status, 503);

    let upstream = Upstream::start(once(Reply::Hang)).await;
    let route = r#"retry = { attempts = 2, attempt_timeout = "100ms", on = ["connect"] }"#;
    let only_connect = gateway(&upstream.url(), "", route);
    let answer = only_connect.get("/x").await;
    assert_eq!((answer.status, upstream.count()), (504, 1));
}

#[tokio::test]
async fn retry_after_is_waited_for_and_one_too_long_ends_the_retries() {
    let upstream = Upstream::start(once(Reply::With(503, "retry-after", "1"))).await;
    let waiting = gateway(&upstream.url(), "", TWICE);
    let began = Instant::now();
    assert_eq!(waiting.get("/x").await.status, 200);
    assert!(began.elapsed() >= Duration::from_secs(1));

    let upstream = Upstream::start(once(Reply::With(503, "retry-after", "31"))).await;
    let giving_up = gateway(&upstream.url(), "", TWICE);
    let answer = giving_up.get("/x").await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("31"))
    );
    assert_eq!(upstream.count(), 1);

    let upstream = Upstream::start(once(Reply::With(503, "retry-after", "31"))).await;
    let route = r#"retry = { attempts = 2, initial_delay = "1ms", retry_after = false }"#;
    let deaf = gateway(&upstream.url(), "", route);
    assert_eq!(deaf.get("/x").await.status, 200);
}

#[tokio::test]
async fn an_open_circuit_ends_the_retries() {
    let upstream = Upstream::start(|_| Reply::Status(503)).await;
    let route = r#"retry = { attempts = 10, initial_delay = "1ms", max_delay = "1ms" }"#;
    let circuit = r#"circuit = { failures = 2, quorum = 1 }"#;
    let gateway = gateway(&upstream.url(), circuit, route);
    let answer = gateway.get("/x").await;
    assert_eq!((answer.status, upstream.count()), (503, 2));
    let said = answer.header("proxy-status").unwrap();
    assert!(said.ends_with(";error=destination_unavailable"), "{said}");
}

#[tokio::test]
async fn every_reason_is_there_from_the_start() {
    let upstream = Upstream::start(|_| Reply::Status(200)).await;
    let gateway = gateway(&upstream.url(), "", TWICE);
    let metrics = crate::support::client::get(gateway.admin(), "/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    for reason in [
        "connect_error",
        "connect_timeout",
        "timeout",
        "broken",
        "502",
        "503",
        "504",
    ] {
        let line = format!("gateway_retries_total{{route=\"api\",reason=\"{reason}\"}} 0\n");
        assert!(text.contains(&line), "no {line} in {text}");
    }
    assert!(text.contains("gateway_retry_budget_exhausted_total{route=\"api\"} 0\n"));
    let head = send(gateway.proxy(), request(Method::HEAD, "/x", &[])).await;
    assert_eq!(head.status, 200);
}
