//! Answers made smaller on their way (RFC 9110, sections 8.4 and 12.5.3).

use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use bytes::Bytes;
use http::{Method, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::origin::{Body, Origin, ok};
use crate::support::client::{Answer, Client, request, send};
use crate::support::gateway::Gateway;
use crate::{gateway, get};

const ROUTES: &str = r#"
[[routes]]
name = "small"
path = "/{*rest}"
upstream = "default"
compression = { minimum = "100B" }
[[routes]]
name = "chosen"
path = "/chosen"
upstream = "default"
compression = { types = ["application/x-own"], codings = ["gzip"], level = "small" }
[[routes]]
name = "off"
path = "/off"
upstream = "default"
"#;

fn text() -> String {
    (0..2_000)
        .map(|number| format!("line {number}\n"))
        .collect()
}

/// An upstream that sends `text` with what its path says.
async fn origin() -> Origin {
    Origin::start(|head| {
        let headers: Vec<(&str, &str)> = match head.uri.path() {
            "/part" => return partial(),
            "/image" => vec![("content-type", "image/png")],
            "/coded" => vec![("content-type", "text/plain"), ("content-encoding", "br")],
            "/kept" => vec![
                ("content-type", "text/plain"),
                ("cache-control", "public, No-Transform"),
            ],
            "/digest" => vec![
                ("content-type", "text/plain"),
                ("repr-digest", "sha-256=:x:"),
            ],
            "/short" => return ok(&[("content-type", "text/plain")], "short"),
            "/chosen" => vec![("content-type", "application/x-own")],
            "/weak" => vec![("content-type", "text/css"), ("etag", "W/\"w\"")],
            _ => vec![
                ("content-type", "text/plain; charset=utf-8"),
                ("etag", "\"strong\""),
                ("accept-ranges", "bytes"),
                ("vary", "origin"),
            ],
        };
        ok(&headers, text())
    })
    .await
}

fn partial() -> Response<Body> {
    let headers = [
        ("content-type", "text/plain"),
        ("content-range", "bytes 0-9/20"),
    ];
    let mut response = ok(&headers, text());
    *response.status_mut() = http::StatusCode::PARTIAL_CONTENT;
    response
}

async fn plain(answer: &Answer) -> String {
    let body = &answer.body[..];
    let mut text = String::new();
    let read = match answer.header("content-encoding") {
        Some("gzip") => GzipDecoder::new(body).read_to_string(&mut text).await,
        Some("br") => BrotliDecoder::new(body).read_to_string(&mut text).await,
        Some("zstd") => ZstdDecoder::new(body).read_to_string(&mut text).await,
        other => panic!("{other:?}"),
    };
    read.unwrap();
    text
}

#[tokio::test]
async fn the_coding_the_client_likes_best_is_used() {
    let origin = origin().await;
    let gateway = gateway(&origin.url(), ROUTES);
    for (accept, coding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, br;q=0.8", "gzip"),
    ] {
        let answer = get(&gateway, "/x", &[("accept-encoding", accept)]).await;
        assert_eq!(answer.header("content-encoding"), Some(coding), "{accept}");
        assert!(
            answer.body.len() < text().len() / 3,
            "{}",
            answer.body.len()
        );
        assert_eq!(plain(&answer).await, text(), "{accept}");
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.header("accept-ranges"), None);
        assert_eq!(answer.header("etag"), Some("W/\"strong\""));
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["origin", "accept-encoding"]);
    }
    let weak = get(&gateway, "/weak", &[("accept-encoding", "gzip")]).await;
    assert_eq!(weak.header("etag"), Some("W/\"w\""));
    let chosen = get(&gateway, "/chosen", &[("accept-encoding", "br, gzip")]).await;
    assert_eq!(chosen.header("content-encoding"), Some("gzip"));
    assert_eq!(plain(&chosen).await, text());
}

#[tokio::test]
async fn what_must_not_be_or_is_not_worth_it_passes_as_it_came() {
    let origin = origin().await;
    let gateway = gateway(&origin.url(), ROUTES);
    for path in ["/part", "/image", "/kept", "/digest", "/short", "/off"] {
        let answer = get(&gateway, path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(answer.header("content-encoding"), None, "{path}");
        assert!(answer.header("content-length").is_some(), "{path}");
    }
    let coded = get(&gateway, "/coded", &[("accept-encoding", "gzip")]).await;
    assert_eq!(coded.header("content-encoding"), Some("br"));
    assert_eq!(coded.body, text());
    for headers in [
        vec![],
        vec![("accept-encoding", "identity")],
        vec![("accept-encoding", "gzip;q=0")],
        vec![
            ("accept-encoding", "gzip"),
            ("cache-control", "no-transform"),
        ],
    ] {
        let answer = get(&gateway, "/x", &headers).await;
        assert_eq!(answer.header("content-encoding"), None, "{headers:?}");
        assert_eq!(answer.header("etag"), Some("\"strong\""));
        assert_eq!(answer.body, text());
        // Another client would have got something else.
        assert!(
            answer
                .headers
                .get_all("vary")
                .iter()
                .any(|one| one == "accept-encoding")
        );
    }
}

#[tokio::test]
async fn head_is_told_what_get_would_be() {
    let origin = origin().await;
    let gateway = gateway(&origin.url(), ROUTES);
    let asked = request(Method::HEAD, "/x", &[("accept-encoding", "gzip")]);
    let answer = send(gateway.proxy(), asked).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("etag"), Some("W/\"strong\""));
    assert_eq!(answer.header("content-length"), None);
    assert!(answer.body.is_empty());
}

/// An upstream whose body is what is put into the channel.
async fn streaming(frames: mpsc::Receiver<&'static str>) -> Origin {
    let frames = std::sync::Mutex::new(Some(frames));
    Origin::start(move |_| {
        let frames = frames.lock().unwrap().take().unwrap();
        let stream = futures_util::stream::unfold(frames, |mut frames| async {
            let text = frames.recv().await?;
            let frame = Frame::data(Bytes::from_static(text.as_bytes()));
            Some((Ok::<_, std::convert::Infallible>(frame), frames))
        });
        let mut response = ok(&[("content-type", "text/event-stream")], "");
        *response.body_mut() = BodyExt::boxed(StreamBody::new(SyncStream(Box::pin(stream))));
        response
    })
    .await
}

/// A stream that only one task ever polls.
struct SyncStream<S>(std::pin::Pin<Box<S>>);

impl<S: futures_util::Stream> futures_util::Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// No event waits for the next one, whatever the coding holds back for the sake of a better ratio.
#[tokio::test]
async fn an_event_is_flushed_when_it_comes() {
    for coding in ["gzip", "br", "zstd"] {
        let (events, frames) = mpsc::channel(4);
        let origin = streaming(frames).await;
        let gateway: Gateway = gateway(&origin.url(), ROUTES);
        let mut client = Client::connect(gateway.proxy()).await;
        events.send("data: one\n\n").await.unwrap();
        let asked = request(Method::GET, "/events", &[("accept-encoding", coding)]);
        let mut response = client.send(asked).await;
        assert_eq!(response.headers()["content-encoding"], coding);
        let mut received = Vec::new();
        for (event, so_far) in [
            ("data: two\n\n", "data: one\n\n"),
            ("data: three\n\n", "data: one\n\ndata: two\n\n"),
        ] {
            let arrived = async {
                while unfinished(coding, &received).await != so_far {
                    let frame = response.body_mut().frame().await.unwrap().unwrap();
                    received.extend_from_slice(frame.data_ref().unwrap());
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(20), arrived).await;
            assert!(waited.is_ok(), "{coding}: {so_far:?} did not arrive");
            events.send(event).await.unwrap();
        }
        drop(events);
        let rest = response.into_body().collect().await.unwrap().to_bytes();
        received.extend_from_slice(&rest);
        let whole = unfinished(coding, &received).await;
        assert_eq!(
            whole, "data: one\n\ndata: two\n\ndata: three\n\n",
            "{coding}"
        );
    }
}

/// What can be read of a stream that may not be at its end.
async fn unfinished(coding: &str, received: &[u8]) -> String {
    let mut text = Vec::new();
    // An end that is missing is an error; what came before it is kept.
    let _ = match coding {
        "gzip" => GzipDecoder::new(received).read_to_end(&mut text).await,
        "br" => BrotliDecoder::new(received).read_to_end(&mut text).await,
        _ => ZstdDecoder::new(received).read_to_end(&mut text).await,
    };
    String::from_utf8(text).unwrap()
}

/// An upstream that breaks off leaves an answer that does not look whole.
#[tokio::test]
async fn a_body_that_breaks_off_is_not_finished() {
    let mock = upstream_mock::Mock::start(upstream_mock::Settings::default())
        .await
        .unwrap();
    let every = "types = [\"text/*\", \"application/*\"]";
    let routes = ROUTES.replace("minimum = \"100B\"", every);
    let gateway = gateway(&mock.url(), &routes);
    let mut client = Client::connect(gateway.proxy()).await;
    let asked = request(
        Method::GET,
        "/cut?bytes=200000",
        &[("accept-encoding", "gzip")],
    );
    let response = client.send(asked).await;
    let coded = response.headers().contains_key("content-encoding");
    assert!(response.into_body().collect().await.is_err());
    assert!(coded, "the mock's body was compressed");
}
