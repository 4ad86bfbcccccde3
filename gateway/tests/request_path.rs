//! A request's way, seen from both ends: what went in, what the upstream saw, what came out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use support::client::{Client, build, get, post, request, send};
use support::eventually;
use support::gateway::Gateway;
use upstream_mock::{Mock, Settings};

async fn pair(more: &[(&str, &str)]) -> (Mock, Gateway) {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Gateway::start(&mock.url(), more);
    (mock, gateway)
}

fn upstream_header(seen: &serde_json::Value, name: &str) -> Option<String> {
    let headers = seen["headers"].as_array().unwrap();
    let found: Vec<_> = headers
        .iter()
        .filter(|pair| pair[0] == name)
        .map(|pair| pair[1].as_str().unwrap())
        .collect();
    (!found.is_empty()).then(|| found.join("|"))
}

#[tokio::test]
async fn any_method_reaches_the_upstream_with_path_query_and_body() {
    let (_mock, gateway) = pair(&[]).await;
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut sent = post("/proxy/echo/%2Fx;v=1?a=1&b=%20", "some body");
        *sent.method_mut() = method.clone();
        *sent.uri_mut() = "/proxy/echo?a=1&b=%20".parse().unwrap();
        let answer = send(gateway.proxy(), sent).await;
        let seen = answer.json();
        assert_eq!(answer.status, 200, "{method}");
        assert_eq!(seen["method"], method.as_str());
        assert_eq!(
            (&seen["path"], &seen["query"]),
            (&"/echo".into(), &"a=1&b=%20".into())
        );
        assert_eq!(seen["body"], "some body");
    }
}

#[tokio::test]
async fn the_upstream_is_told_who_asked_and_through_whom() {
    let (mock, gateway) = pair(&[]).await;
    let said = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("connection", "close, x-secret, x-forwarded-for"),
        ("x-secret", "1"),
        ("te", "trailers"),
        ("x-request-id", "mine-1"),
        ("host", "shop.example"),
    ];
    let answer = send(gateway.proxy(), request(Method::GET, "/proxy/echo", &said)).await;
    let seen = answer.json();
    assert_eq!(
        upstream_header(&seen, "x-forwarded-for").unwrap(),
        "127.0.0.1"
    );
    assert_eq!(upstream_header(&seen, "x-forwarded-proto").unwrap(), "http");
    assert_eq!(
        upstream_header(&seen, "x-forwarded-host").unwrap(),
        "shop.example"
    );
    assert_eq!(upstream_header(&seen, "via").unwrap(), "1.1 edge");
    assert_eq!(upstream_header(&seen, "x-request-id").unwrap(), "mine-1");
    assert_eq!(
        upstream_header(&seen, "host").unwrap(),
        mock.addr().to_string()
    );
    assert_eq!(upstream_header(&seen, "te").unwrap(), "trailers");
    assert_eq!(upstream_header(&seen, "connection").unwrap(), "te");
    for gone in ["x-secret", "keep-alive"] {
        assert_eq!(upstream_header(&seen, gone), None, "{gone}");
    }
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_its_client() {
    let (_mock, gateway) = pair(&[
        ("GATEWAY__SERVER__TRUSTED_PROXIES", "[\"127.0.0.0/8\"]"),
        ("RATE_LIMIT_CAPACITY", "1"),
    ])
    .await;
    let from =
        |client: &'static str| request(Method::GET, "/proxy/echo", &[("x-forwarded-for", client)]);
    let first = send(gateway.proxy(), from("203.0.113.1")).await;
    assert_eq!(
        upstream_header(&first.json(), "x-forwarded-for").unwrap(),
        "203.0.113.1, 127.0.0.1"
    );
    assert_eq!(send(gateway.proxy(), from("203.0.113.1")).await.status, 429);
    assert_eq!(send(gateway.proxy(), from("203.0.113.2")).await.status, 200);
    // Neighbours in one IPv6 network are one client.
    assert_eq!(send(gateway.proxy(), from("2001:db8::1")).await.status, 200);
    assert_eq!(send(gateway.proxy(), from("2001:db8::2")).await.status, 429);
}

#[tokio::test]
async fn what_has_no_route_is_told_so() {
    let (_mock, gateway) = pair(&[]).await;
    let answer = gateway.get("/nothing").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        answer.header("proxy-status"),
        Some("edge;error=destination_not_found")
    );
    let problem = answer.json();
    assert_eq!(problem["status"], 404);
    assert_eq!(
        problem["request_id"],
        answer.header("x-request-id").unwrap()
    );
    let health = gateway.get("/health").await;
    assert_eq!(
        (health.status, health.json()),
        (200, serde_json::json!({"status": "healthy"}))
    );
    let post = send(gateway.proxy(), request(Method::POST, "/health", &[])).await;
    assert_eq!(
        (post.status, post.header("allow")),
        (405, Some("GET, HEAD"))
    );
}

#[tokio::test]
async fn a_limited_answer_says_what_is_left_and_when_to_come_back() {
    let (mock, gateway) = pair(&[
        ("RATE_LIMIT_CAPACITY", "2"),
        ("RATE_LIMIT_REFILL_RATE", "1"),
    ])
    .await;
    let first = gateway.get("/proxy/ok").await;
    assert_eq!(first.status, 200);
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"per-client\";q=2;w=120")
    );
    assert!(
        first
            .header("ratelimit")
            .unwrap()
            .starts_with("\"per-client\";r=1;t=")
    );
    assert_eq!(gateway.get("/proxy/ok").await.status, 200);
    let denied = gateway.get("/proxy/ok").await;
    assert_eq!(denied.status, 429);
    assert_eq!(
        denied.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        denied.json()["violated-policies"],
        serde_json::json!(["per-client"])
    );
    assert_eq!(
        denied.header("proxy-status"),
        Some("edge;error=http_request_denied")
    );
    let wait: u64 = denied.header("retry-after").unwrap().parse().unwrap();
    assert!((59..=60).contains(&wait), "{wait}");
    assert!(
        denied
            .header("ratelimit")
            .unwrap()
            .starts_with("\"per-client\";r=0;t=")
    );
    assert_eq!(mock.recorder().count(), 2);
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_502() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let gateway = Gateway::start(&format!("http://{address}"), &[]);
    let answer = gateway.get("/proxy/ok").await;
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.header("proxy-status"),
        Some("edge;error=connection_refused")
    );
    assert!(!String::from_utf8_lossy(&answer.body).contains(&address.port().to_string()));
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_a_502_and_one_that_hangs_a_504() {
    let (_mock, gateway) = pair(&[("UPSTREAM_TIMEOUT", "0.2")]).await;
    assert_eq!(gateway.get("/proxy/reset").await.status, 502);
    let hung = gateway.get("/proxy/hang").await;
    assert_eq!(hung.status, 504);
    assert_eq!(
        hung.header("proxy-status"),
        Some("edge;error=http_response_timeout")
    );
}

#[tokio::test]
async fn bodies_stream_in_both_directions() {
    let (mock, gateway) = pair(&[]).await;
    let mut client = Client::connect(gateway.proxy()).await;
    // Down: the first chunk is here long before the last is sent.
    let mut response = client
        .send(request(Method::GET, "/proxy/stream?chunks=200&ms=50", &[]))
        .await;
    assert!(
        response
            .body_mut()
            .frame()
            .await
            .unwrap()
            .unwrap()
            .is_data()
    );
    drop((response, client));
    // Up: the upstream sees a body whose end is not yet written.
    let (chunks, body) = tokio::sync::mpsc::channel::<Bytes>(1);
    let body = StreamBody::new(Box::pin(frames(body))).boxed();
    let mut client = Client::connect(gateway.proxy()).await;
    let answer = tokio::spawn(async move {
        let sent = build(Method::POST, "/proxy/sink", &[], body);
        let response = client.send(sent).await;
        support::client::Answer::read(response).await
    });
    chunks.send(Bytes::from_static(b"first ")).await.unwrap();
    chunks.send(Bytes::from_static(b"second")).await.unwrap();
    drop(chunks);
    assert_eq!(answer.await.unwrap().status, 200);
    assert_eq!(mock.recorder().last().unwrap().body_length, 12);
}

fn frames(
    receiver: tokio::sync::mpsc::Receiver<Bytes>,
) -> impl futures_util::Stream<Item = Result<http_body::Frame<Bytes>, std::convert::Infallible>> {
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        let bytes = receiver.recv().await?;
        Some((Ok(http_body::Frame::data(bytes)), receiver))
    })
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_for_the_client_too() {
    let (_mock, gateway) = pair(&[]).await;
    let mut client = Client::connect(gateway.proxy()).await;
    let response = client.send(request(Method::GET, "/proxy/cut", &[])).await;
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn connections_to_the_upstream_are_reused() {
    let (mock, gateway) = pair(&[]).await;
    let mut client = Client::connect(gateway.proxy()).await;
    for _ in 0..10 {
        assert_eq!(client.get("/proxy/ok").await.status, 200);
    }
    let mut peers: Vec<_> = mock
        .recorder()
        .requests()
        .iter()
        .map(|one| one.peer)
        .collect();
    peers.dedup();
    assert_eq!(peers.len(), 1, "{peers:?}");
}

#[tokio::test]
async fn a_client_that_leaves_frees_what_it_held() {
    let (mock, gateway) = pair(&[]).await;
    let mut client = Client::connect(gateway.proxy()).await;
    let waiting = tokio::spawn(async move {
        let _ = client
            .try_send(request(Method::GET, "/proxy/hang", &[]))
            .await;
    });
    mock.recorder().wait_for(1).await;
    let in_flight = "gateway_http_requests_in_flight{route=\"proxy\"}";
    eventually("the request is in flight", || async {
        gateway.metric(in_flight).await > 0.5
    })
    .await;
    waiting.abort();
    eventually("nothing is in flight", || async {
        gateway.metric(in_flight).await < 0.5
    })
    .await;
    let gone = "gateway_http_requests_total{route=\"proxy\",method=\"GET\",code=\"499\"}";
    eventually("it is counted", || async {
        gateway.metric(gone).await > 0.5
    })
    .await;
}

#[tokio::test]
async fn an_idempotent_request_is_tried_again_and_no_other() {
    let (mock, gateway) =
        pair(&[("RETRY_MAX_ATTEMPTS", "3"), ("RETRY_INITIAL_DELAY_MS", "1")]).await;
    assert_eq!(gateway.get("/proxy/status/503").await.status, 503);
    assert_eq!(mock.recorder().count(), 3);
    send(gateway.proxy(), post("/proxy/status/503", "")).await;
    assert_eq!(mock.recorder().count(), 4);
    assert!(
        gateway
            .metric("gateway_retries_total{route=\"proxy\",reason=\"503\"}")
            .await
            > 1.5
    );
}

#[tokio::test]
async fn a_request_without_a_host_is_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mock, gateway) = pair(&[]).await;
    for (head, status) in [
        ("GET /proxy/ok HTTP/1.1\r\n\r\n", "400"),
        (
            "GET /proxy/ok HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "400",
        ),
        ("GET /proxy/ok HTTP/1.0\r\n\r\n", "200"),
        (
            "GET http://a/proxy/ok HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
            "200",
        ),
    ] {
        let mut stream = tokio::net::TcpStream::connect(gateway.proxy())
            .await
            .unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert!(String::from_utf8_lossy(&start).ends_with(status), "{head}");
    }
    assert_eq!(mock.recorder().count(), 2);
}

#[tokio::test]
async fn the_admin_listener_answers_scrapers_and_probes() {
    let (_mock, gateway) = pair(&[]).await;
    assert_eq!(gateway.get("/proxy/ok").await.status, 200);
    assert_eq!(get(gateway.admin(), "/livez").await.body, "ok\n");
    assert_eq!(get(gateway.admin(), "/readyz").await.status, 200);
    let verbose = get(gateway.admin(), "/readyz?verbose").await;
    assert!(String::from_utf8_lossy(&verbose.body).contains("[+]serving ok"));
    let counted = "gateway_http_requests_total{route=\"proxy\",method=\"GET\",code=\"200\"}";
    eventually("it is counted", || async {
        gateway.metric(counted).await > 0.5
    })
    .await;
    assert!(
        gateway
            .metric("gateway_upstream_requests_total{upstream=\"default\",outcome=\"success\"}")
            .await
            > 0.5
    );
    assert!(gateway.metric("gateway_store_up").await > 0.5);
    assert_eq!(gateway.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn the_proxy_listener_can_keep_its_metrics_to_itself() {
    let (_mock, gateway) = pair(&[("GATEWAY__SERVER__METRICS", "false")]).await;
    assert_eq!(gateway.get("/metrics").await.status, 404);
    tokio::time::timeout(Duration::from_secs(20), gateway.get("/health"))
        .await
        .unwrap();
}
