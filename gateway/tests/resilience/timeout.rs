//! When an attempt, and when a request, has to be over; and how large a body a route takes.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::time::Instant;
use upstream_mock::{Mock, Settings};

use crate::gateway;
use crate::support::client::{Client, build, post, request, send};
use crate::upstream::{Reply, Upstream};

#[tokio::test]
async fn each_attempt_has_a_time_of_its_own() {
    let upstream = Upstream::start(|_| Reply::Hang).await;
    let route = r#"retry = { attempts = 3, initial_delay = "1ms", attempt_timeout = "50ms" }"#;
    let gateway = gateway(&upstream.url(), "", route);
    let answer = gateway.get("/x").await;
    assert_eq!((answer.status, upstream.count()), (504, 3));
    let timeouts = r#"gateway_retries_total{route="api",reason="timeout"}"#;
    assert!((gateway.metric(timeouts).await - 2.0).abs() < 0.5);
}

#[tokio::test]
async fn the_total_ends_all_attempts() {
    let upstream = Upstream::start(|_| Reply::Hang).await;
    let route = r#"
timeout = "200ms"
retry = { attempts = 5, initial_delay = "1ms" }
"#;
    let gateway = gateway(&upstream.url(), r#"timeout = "30s""#, route);
    let began = Instant::now();
    let answer = gateway.get("/x").await;
    assert_eq!((answer.status, upstream.count()), (504, 1));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_wait_that_the_total_does_not_hold_is_not_begun() {
    let upstream = Upstream::start(|_| Reply::With(503, "retry-after", "20")).await;
    let route = r#"
timeout = "10s"
retry = { attempts = 5 }
"#;
    let gateway = gateway(&upstream.url(), "", route);
    let answer = gateway.get("/x").await;
    assert_eq!((answer.status, upstream.count()), (503, 1));
    assert_eq!(answer.header("retry-after"), Some("20"));
}

#[tokio::test]
async fn the_total_cuts_a_body_that_goes_on_for_ever() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = gateway(&mock.url(), "", r#"timeout = "300ms""#);
    let mut client = Client::connect(gateway.proxy()).await;
    let endless = request(Method::GET, "/stream?chunks=100000&ms=10", &[]);
    let response = client.send(endless).await;
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(gateway.get("/ok").await.status, 200);
}

#[tokio::test]
async fn a_route_can_take_smaller_bodies_than_the_listener() {
    let upstream = Upstream::start(|_| Reply::Status(200)).await;
    let gateway = gateway(&upstream.url(), "", r#"max_body_bytes = "1KiB""#);
    let fits = send(gateway.proxy(), post("/x", vec![7; 1024])).await;
    assert_eq!(fits.status, 200);
    let declared = send(gateway.proxy(), post("/x", vec![7; 1025])).await;
    assert_eq!(declared.status, 413);
    let pieces = (0..3).map(|_| Ok(http_body::Frame::data(Bytes::from(vec![7; 500]))));
    let chunked = StreamBody::new(futures_util::stream::iter(pieces)).boxed();
    let chunked = send(gateway.proxy(), build(Method::POST, "/x", &[], chunked)).await;
    assert_eq!(chunked.status, 413);
    let empty = build(Method::POST, "/x", &[], Full::new(Bytes::new()).boxed());
    assert_eq!(send(gateway.proxy(), empty).await.status, 200);
}
