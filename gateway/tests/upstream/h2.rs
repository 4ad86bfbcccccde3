//! HTTP/2 towards the upstream: RFC 9113 as a client keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::gateway;
use crate::pki::Pki;
use crate::server::{Speaks, Upstream, streamed, whole};
use crate::support::client::{self, Client, build, get, request};
use crate::support::eventually;

/// An upstream made of frames: each connection is given to `serve`, with its number.
async fn framed<F, A>(serve: F) -> String
where
    F: Fn(usize, TcpStream) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("h2c://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(number, stream));
        }
    });
    url
}

fn ok(respond: &mut h2::server::SendResponse<Bytes>) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data("hello".into(), true).unwrap();
}

#[tokio::test]
async fn requests_that_come_together_share_one_connection() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::new(AtomicUsize::new(0));
    let (held, count) = (Arc::clone(&gate), Arc::clone(&waiting));
    let upstream = Upstream::answering(Speaks::Http2, move |_, _| {
        let (held, count) = (Arc::clone(&held), Arc::clone(&count));
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            held.acquire().await.unwrap().forget();
            whole("hello")
        }
    })
    .await;
    let gateway = gateway(&upstream.url("h2c"), &[]);
    let clients = (0..30).map(|_| get(gateway.proxy(), "/proxy/x"));
    let all = tokio::spawn(join_all(clients.collect::<Vec<_>>()));
    // All at once: none waits for another's answer.
    eventually("all are there", async || {
        waiting.load(Ordering::SeqCst) == 30
    })
    .await;
    gate.add_permits(30);
    assert!(all.await.unwrap().iter().all(|one| one.status == 200));
    assert_eq!(upstream.connections(), 1);
    assert!(
        upstream
            .seen()
            .iter()
            .all(|one| one.version == Version::HTTP_2)
    );
}

/// What an upstream that holds its answers back saw of its streams.
#[derive(Default)]
struct Held {
    connections: AtomicUsize,
    /// Streams that are open now, on all connections.
    open: AtomicUsize,
    /// The most that were open at once on one of them.
    most: AtomicUsize,
}

/// Answers none of the connection's streams before `gate` lets it.
async fn hold(stream: TcpStream, held: Arc<Held>, gate: Arc<Semaphore>, allowed: u32) {
    held.connections.fetch_add(1, Ordering::SeqCst);
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(allowed);
    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
    let live = Arc::new(AtomicUsize::new(0));
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let now = live.fetch_add(1, Ordering::SeqCst) + 1;
        held.most.fetch_max(now, Ordering::SeqCst);
        held.open.fetch_add(1, Ordering::SeqCst);
        let (live, held, gate) = (Arc::clone(&live), Arc::clone(&held), Arc::clone(&gate));
        tokio::spawn(async move {
            gate.acquire().await.unwrap().forget();
            live.fetch_sub(1, Ordering::SeqCst);
            held.open.fetch_sub(1, Ordering::SeqCst);
            ok(&mut respond);
        });
    }
}

#[tokio::test]
async fn no_more_streams_are_begun_than_the_peer_allows() {
    let held = Arc::new(Held::default());
    let gate = Arc::new(Semaphore::new(1));
    let (seen, opens) = (Arc::clone(&held), Arc::clone(&gate));
    let url = framed(move |_, stream| hold(stream, Arc::clone(&seen), Arc::clone(&opens), 2)).await;
    let gateway = gateway(&url, &[]);
    // The first connection has told its limit when this is answered.
    assert_eq!(gateway.get("/proxy/first").await.status, 200);
    let clients: Vec<_> = (0..6).map(|_| get(gateway.proxy(), "/proxy/x")).collect();
    let all = tokio::spawn(join_all(clients));
    // Two are all that the first connection takes, and none is answered: the others need another.
    let full = || async { held.open.load(Ordering::SeqCst) >= 4 };
    eventually("two connections are full", full).await;
    assert!(held.connections.load(Ordering::SeqCst) >= 2);
    gate.add_permits(6);
    let all = all.await.unwrap();
    assert!(all.iter().all(|one| one.status == 200), "{all:?}");
    assert_eq!(held.most.load(Ordering::SeqCst), 2);
}

/// How often the upstream saw a request whose first `refusals` streams it refused, and what the client was told.
async fn refused(refusals: usize) -> (usize, u16) {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let url = framed(move |_, stream| {
        let count = Arc::clone(&count);
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if count.fetch_add(1, Ordering::SeqCst) < refusals {
                    respond.send_reset(Reason::REFUSED_STREAM);
                } else {
                    ok(&mut respond);
                }
            }
        }
    })
    .await;
    let gateway = gateway(&url, &[]);
    let status = gateway.get("/proxy/x").await.status;
    (seen.load(Ordering::SeqCst), status)
}

#[tokio::test]
async fn a_refused_stream_was_not_sent_and_goes_again_once() {
    assert_eq!(refused(1).await, (2, 200));
    assert_eq!(refused(100).await, (2, 502));
}

#[tokio::test]
async fn a_stream_that_broke_otherwise_is_not_sent_again() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let url = framed(move |_, stream| {
        let count = Arc::clone(&count);
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                respond.send_reset(Reason::INTERNAL_ERROR);
            }
        }
    })
    .await;
    let gateway = gateway(&url, &[]);
    assert_eq!(gateway.get("/proxy/x").await.status, 502);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_came_after_a_goaway_goes_on_another_connection() {
    let url = framed(|number, stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut answered = 0;
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            answered += 1;
            ok(&mut respond);
            // Each connection goes away after its second request, however busy.
            if answered == 2 && number < 5 {
                connection.graceful_shutdown();
            }
        }
    })
    .await;
    let gateway = gateway(&url, &[]);
    for round in 0..20 {
        assert_eq!(gateway.get("/proxy/x").await.status, 200, "{round}");
    }
}

#[tokio::test]
async fn a_connection_that_died_while_idle_costs_nobody_a_request() {
    let end = Arc::new(Semaphore::new(0));
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let told = Arc::clone(&end);
    let url = framed(move |number, stream| {
        let (told, ended) = (Arc::clone(&told), ended.clone());
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            loop {
                tokio::select! {
                    request = connection.accept() => ok(&mut request.unwrap().unwrap().1),
                    permit = told.acquire() => break permit.unwrap().forget(),
                }
            }
            drop(connection);
            ended.send(number).unwrap();
        }
    })
    .await;
    let gateway = gateway(&url, &[]);
    for round in 0..10 {
        assert_eq!(gateway.get("/proxy/x").await.status, 200, "{round}");
        end.add_permits(1);
        assert_eq!(ends.recv().await, Some(round));
    }
}

#[tokio::test]
async fn bodies_and_trailers_go_both_ways() {
    let upstream = Upstream::answering(Speaks::Http2, |seen, request| async move {
        let body = request.into_body().collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        let content = body.to_bytes();
        let (send, mut answer) = streamed();
        let mut sent = HeaderMap::new();
        sent.insert("x-sum", trailers["x-check"].clone());
        send.send(Frame::data(content)).unwrap();
        send.send(Frame::trailers(sent)).unwrap();
        let headers = answer.headers_mut();
        headers.insert("trailer", HeaderValue::from_static("x-sum"));
        headers.insert("x-te", seen.headers["te"].clone());
        answer
    })
    .await;
    let gateway = gateway(&upstream.url("h2c"), &[]);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-check", HeaderValue::from_static("7"));
    let frames = [
        Frame::data(Bytes::from(vec![b'a'; 300_000])),
        Frame::data("end".into()),
        Frame::trailers(trailers),
    ];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>));
    let headers = [
        ("te", "trailers"),
        ("connection", "te"),
        ("trailer", "x-check"),
    ];
    let body = BodyExt::boxed(StreamBody::new(frames));
    let request = build(Method::POST, "/proxy/echo", &headers, body);
    let mut client = Client::connect(gateway.proxy()).await;
    let answer = client.send(request).await;
    assert_eq!(answer.headers()["x-te"], "trailers");
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "7");
    assert_eq!(body.to_bytes().len(), 300_003);
}

#[tokio::test]
async fn a_declared_length_is_declared_again() {
    let upstream = Upstream::start(Speaks::Http2).await;
    let gateway = gateway(&upstream.url("h2c"), &[]);
    let answer = client::send(gateway.proxy(), client::post("/proxy/x", "12345")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.seen()[0].headers["content-length"], "5");
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_nobody_else() {
    let upstream = Upstream::answering(Speaks::Http2, |seen, _| async move {
        match seen.path.as_str() {
            "/large" => whole(vec![0; 8 * 1024 * 1024]),
            _ => whole("hello"),
        }
    })
    .await;
    let gateway = gateway(&upstream.url("h2c"), &[]);
    let mut stuck = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(gateway.proxy()).await;
        let answer = client.send(request(Method::GET, "/proxy/large", &[])).await;
        stuck.push((client, answer));
    }
    for _ in 0..20 {
        assert_eq!(gateway.get("/proxy/small").await.status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    // And they get all of theirs.
    for (_client, answer) in stuck {
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), 8 * 1024 * 1024);
    }
}

#[tokio::test]
async fn a_switch_of_protocols_goes_over_http_1_1() {
    let pki = Pki::new(&["127.0.0.1"]);
    let config = pki.server(&["h2", "http/1.1"], None);
    let upstream = Upstream::answering(
        Speaks::Tls(config),
        |_, mut request: Request<_>| async move {
            if !request.headers().contains_key("upgrade") {
                return whole("hello");
            }
            let switch = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut stream = hyper_util::rt::TokioIo::new(switch.await.unwrap());
                let mut word = [0; 4];
                stream.read_exact(&mut word).await.unwrap();
                stream.write_all(&word).await.unwrap();
            });
            let mut answer = whole("");
            *answer.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
            let headers = answer.headers_mut();
            headers.insert("connection", HeaderValue::from_static("upgrade"));
            headers.insert("upgrade", HeaderValue::from_static("websocket"));
            answer
        },
    )
    .await;
    let gateway = gateway(
        &upstream.url("https"),
        &[("tls.ca_file", &pki.file("ca.pem"))],
    );
    assert_eq!(gateway.get("/proxy/x").await.status, 200);
    let mut stream = TcpStream::connect(gateway.proxy()).await.unwrap();
    let ask =
        "GET /proxy/ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(
        head.starts_with(b"HTTP/1.1 101 "),
        "{}",
        head.escape_ascii()
    );
    stream.write_all(b"ping").await.unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
    let versions: Vec<_> = upstream.seen().iter().map(|one| one.version).collect();
    assert_eq!(versions, [Version::HTTP_2, Version::HTTP_11]);
}

#[tokio::test]
async fn requests_that_wait_for_one_connection_share_its_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gateway = gateway(&format!("h2c://{address}"), &[]);
    let all = join_all((0..10).map(|_| get(gateway.proxy(), "/proxy/x"))).await;
    for one in all {
        assert_eq!(one.status, 502);
        assert_eq!(
            one.header("proxy-status"),
            Some("edge;error=connection_refused")
        );
    }
}
