//! WebSocket over HTTP/2 (RFC 8441): a stream here, a switched connection upstream.

use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use http::{Method, Request};

use super::client::Client;
use super::support::eventually;
use super::wire::Pair;

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                        sec-websocket-accept: x\r\nsec-websocket-protocol: chat\r\n\r\nhello";
const IN_FLIGHT: &str = "gateway_http_requests_in_flight{route=\"proxy\"}";

fn connect(protocol: &'static str) -> Request<()> {
    Request::builder()
        .method(Method::CONNECT)
        .uri("http://api.example/proxy/ws")
        .extension(Protocol::from_static(protocol))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat")
        .body(())
        .unwrap()
}

async fn client(pair: &Pair) -> Client {
    let client = Client::connect(pair.gateway.proxy()).await;
    eventually("the settings are there", || async {
        client.sender.is_extended_connect_protocol_enabled()
    })
    .await;
    client
}

#[tokio::test]
async fn a_stream_becomes_a_websocket_and_ends_as_one() {
    let pair = Pair::start(&[SWITCHED], &[]).await;
    let client = client(&pair).await;
    let mut sender = client.sender.clone().ready().await.unwrap();
    let (response, mut up) = sender.send_request(connect("websocket"), false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    for name in ["connection", "upgrade", "sec-websocket-accept"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
    let received = pair.upstream.received();
    assert!(received.starts_with("GET /ws HTTP/1.1\r\n"), "{received}");
    for line in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
    ] {
        assert!(
            received.contains(&format!("\r\n{line}\r\n")),
            "{line} in {received}"
        );
    }
    let key = received
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "));
    assert_eq!(key.unwrap().len(), 24);
    let mut down = response.into_body();
    assert_eq!(down.data().await.unwrap().unwrap(), "hello");
    up.send_data(Bytes::from_static(b"over to you"), false)
        .unwrap();
    pair.upstream.has("over to you").await;
    // Other requests go on beside it.
    assert_eq!(client.get("/health").await.unwrap().status, 200);
    assert_eq!(pair.gateway.metric(IN_FLIGHT).await, 1.0);
    up.send_data(Bytes::new(), true).unwrap();
    let end = tokio::time::timeout(Duration::from_secs(20), down.data()).await;
    assert!(
        end.unwrap()
            .is_none_or(|data| data.is_ok_and(|data| data.is_empty()))
    );
    eventually("it is over", || async {
        pair.gateway.metric(IN_FLIGHT).await == 0.0
    })
    .await;
}

#[tokio::test]
async fn what_does_not_switch_is_no_tunnel() {
    let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";
    let ignored = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let pair = Pair::start(&[refused, ignored], &[]).await;
    let client = client(&pair).await;
    for (protocol, status) in [("websocket", 403), ("websocket", 502), ("connect-udp", 501)] {
        let mut sender = client.sender.clone().ready().await.unwrap();
        let (response, _up) = sender.send_request(connect(protocol), false).unwrap();
        assert_eq!(response.await.unwrap().status(), status, "{protocol}");
    }
    assert_eq!(client.get("/proxy/x").await.unwrap().status, 200);
}
