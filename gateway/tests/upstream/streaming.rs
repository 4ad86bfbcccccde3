//! Bodies that take their time: server-sent events and long polling.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::gateway;
use crate::server::{Seen, Speaks, Upstream, streamed, whole};
use crate::support::PATIENCE;
use crate::support::client::{Client, request};

const VERSIONS: [(Speaks, &str); 2] = [(Speaks::Http1, "http"), (Speaks::Http2, "h2c")];

type Sender = Arc<Mutex<Option<UnboundedSender<Frame<Bytes>>>>>;

/// An upstream whose one answer is sent by the test.
async fn events(speaks: Speaks) -> (Upstream, Sender) {
    let sender = Sender::default();
    let kept = Arc::clone(&sender);
    let handler = move |_: Seen, _: Request<Incoming>| {
        let (sender, mut answer) = streamed();
        let kind = http::HeaderValue::from_static("text/event-stream");
        answer.headers_mut().insert("content-type", kind);
        kept.lock().unwrap().replace(sender);
        async { answer }
    };
    (Upstream::answering(speaks, handler).await, sender)
}

async fn next(body: &mut Incoming) -> Option<hyper::Result<Bytes>> {
    let frame = timeout(PATIENCE, body.frame())
        .await
        .expect("a frame in time")?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

#[tokio::test]
async fn each_event_is_there_before_the_next_is_sent() {
    for (speaks, scheme) in VERSIONS {
        let (upstream, sender) = events(speaks).await;
        let keys = [("timeout", "2s"), ("idle_timeout", "60s")];
        let gateway = gateway(&upstream.url(scheme), &keys);
        let mut client = Client::connect(gateway.proxy()).await;
        // The head is there before any of the body.
        let answer = client
            .send(request(Method::GET, "/proxy/events", &[]))
            .await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert!(!answer.headers().contains_key("content-length"));
        let mut body = answer.into_body();
        let sender = sender.lock().unwrap().take().unwrap();
        for number in 0..20 {
            let event = Bytes::from(format!("data: {number}\n\n"));
            sender.send(Frame::data(event.clone())).unwrap();
            assert_eq!(next(&mut body).await.unwrap().unwrap(), event, "{scheme}");
        }
        drop(sender);
        assert!(next(&mut body).await.is_none(), "{scheme}");
    }
}

#[tokio::test]
async fn the_timeout_ends_at_the_head_and_the_idle_timeout_rules_the_body() {
    for (speaks, scheme) in VERSIONS {
        let (upstream, sender) = events(speaks).await;
        let keys = [("timeout", "800ms"), ("idle_timeout", "2500ms")];
        let gateway = gateway(&upstream.url(scheme), &keys);
        let mut client = Client::connect(gateway.proxy()).await;
        let answer = client
            .send(request(Method::GET, "/proxy/events", &[]))
            .await;
        let mut body = answer.into_body();
        let sender = sender.lock().unwrap().take().unwrap();
        // Longer than the timeout, and never silent for as long as the idle timeout.
        for number in 0..4 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            sender.send(Frame::data(Bytes::from(vec![number]))).unwrap();
            assert_eq!(
                next(&mut body).await.unwrap().unwrap(),
                vec![number],
                "{scheme}"
            );
        }
        // Now it is silent.
        assert!(next(&mut body).await.unwrap().is_err(), "{scheme}");
    }
}

#[tokio::test]
async fn a_poll_that_gets_no_head_in_time_is_a_gateway_timeout() {
    for (speaks, scheme) in VERSIONS {
        let upstream = Upstream::answering(speaks, |_, _| async {
            std::future::pending::<()>().await;
            whole("never")
        })
        .await;
        let gateway = gateway(&upstream.url(scheme), &[("timeout", "200ms")]);
        assert_eq!(gateway.get("/proxy/poll").await.status, 504, "{scheme}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstreams_work() {
    for (speaks, scheme) in VERSIONS {
        let (upstream, sender) = events(speaks).await;
        let gateway = gateway(&upstream.url(scheme), &[]);
        let mut client = Client::connect(gateway.proxy()).await;
        let answer = client
            .send(request(Method::GET, "/proxy/events", &[]))
            .await;
        let sender = sender.lock().unwrap().take().unwrap();
        drop((answer, client));
        timeout(PATIENCE, sender.closed())
            .await
            .expect("the stream ends");
    }
}
