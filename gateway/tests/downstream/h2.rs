//! HTTP/2 with a client library: what is sound passes, and means upstream what it meant here.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use super::client::{Answer, Client, request};
use super::support::{PATIENCE, eventually};
use super::wire::{OK, Pair};

#[tokio::test]
async fn a_request_reads_upstream_as_if_it_had_come_by_http_1() {
    let pair = Pair::start(&[], &[]).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    let headers = [
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("x-kept", "yes"),
    ];
    let asked = request(Method::GET, "/proxy/thing?q=1", &headers);
    let answer = client.send(asked, &[], None).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert!(answer.headers.contains_key("date"));
    assert!(!answer.headers.contains_key("connection"));
    let received = pair.upstream.received();
    assert!(
        received.starts_with("GET /thing?q=1 HTTP/1.1\r\n"),
        "{received}"
    );
    for line in [
        &format!("host: {}", pair.upstream.address),
        "x-forwarded-host: api.example",
        "x-forwarded-proto: http",
        "x-forwarded-for: 127.0.0.1",
        "via: 2 edge",
        "cookie: a=1; b=2",
        "te: trailers",
        "connection: te",
        "x-kept: yes",
    ] {
        assert!(
            received.contains(&format!("\r\n{line}\r\n")),
            "{line} in {received}"
        );
    }
}

#[tokio::test]
async fn many_requests_share_one_connection_and_hold_nobody_up() {
    let pair = Pair::start(&[], &[]).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    let asked = (0..50).map(|_| client.get("/proxy/x"));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(pair.gateway.metric(IN_FLIGHT).await, 0.0);
}

const IN_FLIGHT: &str = "gateway_http_requests_in_flight{route=\"proxy\"}";

#[tokio::test]
async fn an_answer_to_head_has_a_length_and_no_content() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n";
    let pair = Pair::start(&[answer], &[]).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    for (path, status) in [("/proxy/x", 200), ("/health", 200), ("/nowhere", 404)] {
        let asked = request(Method::HEAD, path, &[]);
        let answer = client.send(asked, &[], None).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.body, b"", "{path}");
        assert_ne!(answer.header("content-length"), "", "{path}");
    }
}

#[tokio::test]
async fn a_body_with_a_length_keeps_it_and_one_without_is_chunked() {
    let pair = Pair::start(&[], &[]).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    let known = request(Method::POST, "/proxy/x", &[("content-length", "8")]);
    let answer = client.send(known, &[b"four", b"more"], None).await;
    assert_eq!(answer.unwrap().status, 200);
    let received = pair.upstream.received();
    assert!(received.contains("content-length: 8\r\n"), "{received}");
    assert!(received.ends_with("\r\n\r\nfourmore"), "{received}");
    let unknown = request(Method::POST, "/proxy/x", &[]);
    let answer = client.send(unknown, &[b"four", b"more"], None).await;
    assert_eq!(answer.unwrap().status, 200);
    let received = pair.upstream.received();
    assert!(
        received.contains("transfer-encoding: chunked\r\n"),
        "{received}"
    );
    assert!(received.ends_with("0\r\n\r\n"), "{received}");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n\
                   2\r\nok\r\n0\r\ngrpc-status: 0\r\nhost: evil\r\n\r\n";
    let pair = Pair::start(&[chunked], &[]).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    let headers = [("te", "trailers"), ("trailer", "x-sum")];
    let asked = request(Method::POST, "/proxy/x", &headers);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("42"));
    let answer = client
        .send(asked, &[b"body"], Some(trailers))
        .await
        .unwrap();
    assert_eq!(answer.text(), "ok");
    let trailers = answer.trailers.unwrap();
    assert_eq!(trailers["grpc-status"], "0");
    assert!(!trailers.contains_key("host"));
    assert!(pair.upstream.received().ends_with("0\r\nx-sum: 42\r\n\r\n"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_reset_and_not_ended() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf<close>";
    let pair = Pair::start(&[cut], &[]).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    let error = client.get("/proxy/x").await.unwrap_err();
    assert!(error.is_reset(), "{error}");
    assert_eq!(client.get("/proxy/x").await.unwrap().text(), "ok");
}

#[tokio::test]
async fn a_body_too_large_or_too_slow_is_refused_and_the_connection_is_good() {
    let limits = [
        ("GATEWAY__SERVER__MAX_BODY_BYTES", "10"),
        ("GATEWAY__SERVER__BODY_TIMEOUT", "100ms"),
    ];
    let pair = Pair::start(&[], &limits).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    let declared = request(Method::POST, "/proxy/x", &[("content-length", "11")]);
    let answer = client.send(declared, &[b"eleven byte"], None).await;
    assert_eq!(answer.unwrap().status, 413);
    let turns_out = request(Method::POST, "/proxy/x", &[]);
    let answer = client.send(turns_out, &[b"twelve bytes"], None).await;
    assert_eq!(answer.unwrap().status, 413);
    let mut sender = client.sender.clone().ready().await.unwrap();
    let (slow, _stream) = sender
        .send_request(request(Method::POST, "/proxy/x", &[]), false)
        .unwrap();
    assert_eq!(slow.await.unwrap().status(), 408);
    assert_eq!(client.get("/proxy/x").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_request_taken_back_frees_what_it_held() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    let pair = Pair::start(&[head], &[]).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    let mut sender = client.sender.clone().ready().await.unwrap();
    let asked = request(Method::GET, "/proxy/x", &[]);
    let (response, stream) = sender.send_request(asked, true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(pair.gateway.metric(IN_FLIGHT).await, 1.0);
    drop((response, stream));
    eventually("the request is over", || async {
        pair.gateway.metric(IN_FLIGHT).await == 0.0
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_gets_all_of_a_large_answer() {
    let body = "x".repeat(1 << 20);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let pair = Pair::start(&[&answer], &[]).await;
    let client = Client::connect(pair.gateway.proxy()).await;
    let mut sender = client.sender.clone().ready().await.unwrap();
    let asked = request(Method::GET, "/proxy/x", &[]);
    let (response, _) = sender.send_request(asked, true).unwrap();
    let response = response.await.unwrap();
    // Another request is answered while nobody reads the first.
    let head = request(Method::HEAD, "/health", &[]);
    assert_eq!(client.send(head, &[], None).await.unwrap().status, 200);
    let answer = Answer::read(response).await.unwrap();
    assert_eq!(answer.body.len(), body.len());
}

#[tokio::test]
async fn a_stop_says_so_and_loses_no_request() {
    let pair = Pair::start(&[], &[]).await;
    let Pair { upstream, gateway } = pair;
    let address = gateway.proxy();
    let clients = (0..8).map(|_| {
        tokio::spawn(async move {
            let client = Client::connect(address).await;
            let mut answered = 0_u32;
            loop {
                match client.get("/proxy/x").await {
                    Ok(answer) => {
                        assert_eq!(answer.status, 200);
                        answered += 1;
                    }
                    // Only a request that was never begun may be refused, and its client is told which.
                    Err(error) => {
                        let told = error.is_go_away()
                            && error.reason() == Some(h2::Reason::NO_ERROR)
                            || error.is_io() && client.sender.clone().ready().await.is_err();
                        assert!(told, "{error:?}");
                        return (answered, client.connection.await.unwrap());
                    }
                }
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    eventually("there is traffic", || async {
        upstream.received().matches("GET ").count() > 100
    })
    .await;
    drop(gateway);
    let mut answered = 0;
    for client in clients {
        let (count, _) = tokio::time::timeout(PATIENCE, client)
            .await
            .unwrap()
            .unwrap();
        answered += count;
    }
    let received = upstream.received().matches("GET ").count();
    assert_eq!(usize::try_from(answered).unwrap(), received);
}

#[tokio::test]
async fn a_stop_lets_an_upload_finish() {
    let Pair { upstream, gateway } = Pair::start(&[OK], &[]).await;
    let client = Client::connect(gateway.proxy()).await;
    let mut sender = client.sender.clone().ready().await.unwrap();
    let asked = request(Method::POST, "/proxy/x", &[]);
    let (response, mut stream) = sender.send_request(asked, false).unwrap();
    stream
        .send_data(Bytes::from_static(b"begin"), false)
        .unwrap();
    upstream.has("begin").await;
    drop(gateway);
    tokio::time::timeout(PATIENCE, async {
        while sender.clone().ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("GOAWAY");
    stream.send_data(Bytes::from_static(b"end"), true).unwrap();
    let answer = Answer::read(response.await.unwrap()).await.unwrap();
    assert_eq!(answer.text(), "ok");
}

#[tokio::test]
async fn curl_speaks_it() {
    let pair = Pair::start(&[], &[]).await;
    let url = format!("http://{}/proxy/x", pair.gateway.proxy());
    let mut curl = tokio::process::Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--http2-prior-knowledge"])
        .args(["-w", " %{http_version} %{http_code}", &url]);
    let output = curl.output().await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "ok 2 200",
        "{output:?}"
    );
}
