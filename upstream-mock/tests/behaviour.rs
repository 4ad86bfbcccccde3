//! Every behaviour of the mock, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Empty};
use hyper::body::Body;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use upstream_mock::{Mock, Settings};

use support::{ask, get, json, post, request, send, soon};

async fn mock() -> Mock {
    Mock::start(Settings::default()).await.unwrap()
}

/// Writes a request by hand and reads until the connection ends; the error says how it ended.
async fn raw(addr: SocketAddr, target: &str) -> (String, std::io::Result<usize>) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nhost: mock.test\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let end = soon(stream.read_to_end(&mut received)).await;
    (String::from_utf8(received).unwrap(), end)
}

/// What it takes to be started from any test or thread.
fn is_send(_: &impl Send) {}

#[tokio::test]
async fn ok_answers_at_once() {
    let mock = mock().await;
    assert_eq!(
        get(mock.addr(), "/ok").await,
        (StatusCode::OK, json!({"status": "ok"}))
    );
    assert_eq!(mock.url(), format!("http://{}", mock.addr()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_on_several_threads_too() {
    let starting = Mock::start(Settings::default());
    is_send(&starting);
    let mock = tokio::spawn(starting).await.unwrap().unwrap();
    assert_eq!(get(mock.addr(), "/ok").await.0, StatusCode::OK);
}

#[tokio::test]
async fn echo_tells_the_request_back() {
    let mock = mock().await;
    let mut echoed = request(Method::PUT, "/echo?a=1&b=%20", "caf\u{e9}");
    for value in ["one", "two"] {
        echoed
            .headers_mut()
            .append("x-twice", value.parse().unwrap());
    }
    let echo = json(send(mock.addr(), echoed).await.unwrap()).await;
    assert_eq!(echo["method"], "PUT");
    assert_eq!(echo["path"], "/echo");
    assert_eq!(echo["query"], "a=1&b=%20");
    assert_eq!(echo["body"], "caf\u{e9}");
    assert_eq!(echo["body_length"], 5);
    let headers = echo["headers"].as_array().unwrap();
    for header in [
        json!(["host", "mock.test"]),
        json!(["x-twice", "one"]),
        json!(["x-twice", "two"]),
    ] {
        assert!(headers.contains(&header), "{header} in {headers:?}");
    }
}

#[tokio::test]
async fn echo_keeps_to_the_beginning_of_a_long_body() {
    let mock = mock().await;
    let (status, echo) = post(mock.addr(), "/echo", vec![b'a'; 200_000]).await;
    assert_eq!(
        (status, &echo["body_length"]),
        (StatusCode::OK, &json!(200_000))
    );
    assert_eq!(
        echo["body"].as_str().unwrap().len(),
        upstream_mock::BODY_PREFIX
    );
}

#[tokio::test]
async fn any_status_can_be_asked_for() {
    let mock = mock().await;
    for code in [200, 201, 400, 404, 429, 500, 503, 599] {
        let (status, body) = get(mock.addr(), &format!("/status/{code}")).await;
        assert_eq!((status.as_u16(), body), (code, json!({"status": code})));
    }
    for code in [204, 304] {
        let response = send(
            mock.addr(),
            request(Method::GET, &format!("/status/{code}"), ""),
        )
        .await
        .unwrap();
        assert_eq!(response.status().as_u16(), code);
        assert!(
            response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn slow_answers_after_so_long() {
    let mock = mock().await;
    let asked = Instant::now();
    assert_eq!(get(mock.addr(), "/slow?ms=60").await.0, StatusCode::OK);
    assert!(asked.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn hang_never_answers_and_is_let_go_of() {
    let mock = mock().await;
    let stream = TcpStream::connect(mock.addr()).await.unwrap();
    let (mut stream, write) = stream.into_split();
    write
        .try_write(b"GET /hang HTTP/1.1\r\nhost: mock.test\r\n\r\n")
        .unwrap();
    soon(mock.recorder().wait_for(1)).await;
    let answer = tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await;
    assert!(answer.is_err(), "{answer:?}");
    drop(write);
    assert!(
        soon(stream.read_u8()).await.is_err(),
        "the mock closes when its client has left"
    );
}

#[tokio::test]
async fn cut_sends_half_of_what_it_declared_and_resets() {
    let mock = mock().await;
    let (received, end) = raw(mock.addr(), "/cut?bytes=1000").await;
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("content-length: 1000"),
        "{head}"
    );
    assert_eq!(body.len(), 500);
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn reset_sends_nothing_and_resets() {
    let mock = mock().await;
    let (received, end) = raw(mock.addr(), "/reset").await;
    assert_eq!(received, "");
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn early_answers_before_the_body_came() {
    let mock = mock().await;
    let mut stream = TcpStream::connect(mock.addr()).await.unwrap();
    let head = b"POST /early HTTP/1.1\r\nhost: mock.test\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut status = [0; 12];
    soon(stream.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}

#[tokio::test]
async fn flaky_fails_at_its_rate_and_the_same_way_again() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mock = Mock::start(Settings {
            seed: Some(7),
            ..Settings::default()
        })
        .await
        .unwrap();
        let mut failures = Vec::new();
        for _ in 0..40 {
            let (status, _) = get(mock.addr(), "/flaky?rate=0.5").await;
            failures.push(status == StatusCode::INTERNAL_SERVER_ERROR);
        }
        runs.push(failures);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&true) && runs[0].contains(&false));
}

#[tokio::test]
async fn flaky_never_and_flaky_always() {
    let mock = mock().await;
    for _ in 0..20 {
        assert_eq!(get(mock.addr(), "/flaky?rate=0").await.0, StatusCode::OK);
        assert_eq!(
            get(mock.addr(), "/flaky?rate=1").await.0,
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}

#[tokio::test]
async fn stream_sends_its_chunks_one_by_one() {
    let mock = mock().await;
    let asked = Instant::now();
    let response = send(
        mock.addr(),
        request(Method::GET, "/stream?chunks=3&ms=20", ""),
    )
    .await
    .unwrap();
    assert_eq!(response.headers()["transfer-encoding"], "chunked");
    let mut body = response.into_body();
    let first = soon(body.frame())
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    assert_eq!(first, "chunk 1\n");
    let rest = soon(body.collect()).await.unwrap().to_bytes();
    assert_eq!(rest, "chunk 2\nchunk 3\n");
    assert!(asked.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn stream_without_a_wait_or_without_chunks() {
    let mock = mock().await;
    for (target, length) in [("/stream?chunks=2&ms=0", 16), ("/stream?chunks=0", 0)] {
        let response = send(mock.addr(), request(Method::GET, target, ""))
            .await
            .unwrap();
        assert_eq!(
            soon(response.into_body().collect())
                .await
                .unwrap()
                .to_bytes()
                .len(),
            length
        );
    }
}

#[tokio::test]
async fn bytes_sends_exactly_so_many() {
    let mock = mock().await;
    for length in [0, 1, 65_536, 65_537, 5_000_000] {
        let target = format!("/bytes/{length}");
        let response = send(mock.addr(), request(Method::GET, &target, ""))
            .await
            .unwrap();
        assert_eq!(response.headers()["content-length"], length.to_string());
        assert_eq!(
            soon(response.into_body().collect())
                .await
                .unwrap()
                .to_bytes()
                .len(),
            length
        );
    }
}

#[tokio::test]
async fn bytes_declares_sixteen_gibibytes_and_starts_at_once() {
    let mock = mock().await;
    let response = send(mock.addr(), request(Method::GET, "/bytes/17179869184", ""))
        .await
        .unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(16 << 30));
    let mut body = response.into_body();
    assert!(soon(body.frame()).await.unwrap().unwrap().is_data());
}

#[tokio::test]
async fn sink_counts_what_was_sent() {
    let mock = mock().await;
    let answer = post(mock.addr(), "/sink", vec![0; 3_000_000]).await;
    assert_eq!(answer, (StatusCode::OK, json!({"body_length": 3_000_000})));
}

#[tokio::test]
async fn anything_else_tells_what_was_asked() {
    let mock = mock().await;
    let (status, body) = ask(mock.addr(), Method::DELETE, "/api/users/7?full=1").await;
    assert_eq!(status, StatusCode::OK);
    let asked =
        json!({"method": "DELETE", "path": "/api/users/7", "query": "full=1", "body_length": 0});
    assert_eq!(body, asked);
    assert_eq!(
        post(mock.addr(), "/api/users", "abc").await.1["body_length"],
        3
    );
}

#[tokio::test]
async fn the_switches_fail_everything_but_themselves_and_health() {
    let mock = mock().await;
    let addr = mock.addr();
    assert_eq!(post(addr, "/simulate-failure", "").await.0, StatusCode::OK);
    for target in ["/ok", "/bytes/5", "/status/204", "/anything"] {
        assert_eq!(
            get(addr, target).await.0,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{target}"
        );
    }
    assert_eq!(
        get(addr, "/health").await,
        (StatusCode::OK, json!({"status": "healthy"}))
    );
    assert_eq!(post(addr, "/simulate-recovery", "").await.0, StatusCode::OK);
    assert_eq!(get(addr, "/ok").await.0, StatusCode::OK);
    mock.set_failing(true);
    assert_eq!(get(addr, "/ok").await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_get_moves_no_switch() {
    let mock = mock().await;
    let response = send(mock.addr(), request(Method::GET, "/simulate-failure", ""))
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"POST".parse().unwrap())
    );
    assert_eq!(get(mock.addr(), "/ok").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_rate_and_a_latency_apply_to_everything_but_the_controls() {
    let latency = Duration::from_millis(40);
    let mock = Mock::start(Settings {
        fail_rate: 1.0,
        latency,
        ..Settings::default()
    })
    .await
    .unwrap();
    let asked = Instant::now();
    assert_eq!(
        get(mock.addr(), "/ok").await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert!(asked.elapsed() >= latency);
    assert_eq!(get(mock.addr(), "/health").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_parameter_without_sense_is_named() {
    let mock = mock().await;
    for (target, parameter) in [
        ("/status/199", "code"),
        ("/status/ok", "code"),
        ("/slow?ms=x", "ms"),
        ("/flaky?rate=2", "rate"),
        ("/stream?chunks=-1", "chunks"),
        ("/stream?ms=1s", "ms"),
        ("/bytes/17179869185", "n"),
        ("/bytes/", "n"),
        ("/cut?bytes=lots", "bytes"),
    ] {
        let (status, body) = get(mock.addr(), target).await;
        assert_eq!(
            (status, &body["parameter"]),
            (StatusCode::BAD_REQUEST, &json!(parameter)),
            "{target}"
        );
    }
}

#[tokio::test]
async fn the_recorder_keeps_requests_as_they_arrived() {
    let mock = mock().await;
    let recorder = mock.recorder();
    get(mock.addr(), "/first?q=1").await;
    post(mock.addr(), "/second", "body").await;
    get(mock.addr(), "/health").await;
    soon(recorder.wait_for(2)).await;
    assert_eq!(
        (
            recorder.count(),
            recorder.count_path("/first"),
            recorder.count_path("/health")
        ),
        (2, 1, 1)
    );
    let paths: Vec<_> = recorder
        .requests()
        .iter()
        .map(|kept| kept.uri.to_string())
        .collect();
    assert_eq!(paths, ["/first?q=1", "/second"]);
    let last = recorder.last().unwrap();
    assert_eq!(
        (last.method, last.version),
        (Method::POST, Version::HTTP_11)
    );
    assert_eq!(
        (last.body.as_slice(), last.body_length, last.body_complete),
        (&b"body"[..], 4, true)
    );
    assert_eq!(last.headers["host"], "mock.test");
    assert!(last.peer.ip().is_loopback());
}

#[tokio::test]
async fn a_body_can_be_watched_while_it_arrives() {
    let mock = mock().await;
    let (mut chunks, body) = Channel::<Bytes>::new(1);
    let upload = http::Request::post("/sink")
        .header("host", "mock.test")
        .body(body)
        .unwrap();
    let answer = tokio::spawn(send(mock.addr(), upload));
    chunks
        .send_data(Bytes::from_static(b"first"))
        .await
        .unwrap();
    let first = |recorder: &upstream_mock::Recorder| {
        recorder
            .last()
            .is_some_and(|upload| upload.body == b"first" && !upload.body_complete)
    };
    soon(mock.recorder().wait_until(first)).await;
    chunks
        .send_data(Bytes::from_static(b", second"))
        .await
        .unwrap();
    drop(chunks);
    let response = answer.await.unwrap().unwrap();
    assert_eq!(json(response).await, json!({"body_length": 13}));
    assert!(mock.recorder().last().unwrap().body_complete);
}

#[tokio::test]
async fn without_recording_nothing_is_kept() {
    let mock = Mock::start(Settings {
        recording: false,
        ..Settings::default()
    })
    .await
    .unwrap();
    get(mock.addr(), "/ok").await;
    assert_eq!(mock.recorder().count(), 0);
}

#[tokio::test]
async fn a_stopped_mock_frees_its_port_and_its_connections() {
    let mock = mock().await;
    let addr = mock.addr();
    let mut idle = TcpStream::connect(addr).await.unwrap();
    idle.write_all(b"GET /hang HTTP/1.1\r\nhost: mock.test\r\n\r\n")
        .await
        .unwrap();
    soon(mock.recorder().wait_for(1)).await;
    soon(mock.stop()).await;
    assert!(
        !matches!(soon(idle.read(&mut [0])).await, Ok(1..)),
        "closed"
    );
    let again = Mock::bind(addr, Settings::default()).await.unwrap();
    assert_eq!(get(again.addr(), "/ok").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_dropped_mock_stops() {
    let mock = mock().await;
    let addr = mock.addr();
    drop(mock);
    let refused = async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await
        }
    };
    soon(refused).await;
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let mock = mock().await;
    let head = http::Request::head("/bytes/70000")
        .header("host", "mock.test")
        .body(Empty::new())
        .unwrap();
    let response = send(mock.addr(), head).await.unwrap();
    assert_eq!(response.headers()["content-length"], "70000");
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}
