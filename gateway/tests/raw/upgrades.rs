//! Connections that stop being HTTP (RFC 9110, section 7.8).

use tokio::io::AsyncWriteExt;

use super::wire::{Pair, Wire, status};

const ASK: &str = "GET /proxy/chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: y\r\n\r\n";

#[tokio::test]
async fn bytes_are_relayed_both_ways_after_the_switch() {
    let pair = Pair::start(&[&format!("{SWITCH}server speaks first")], &[]).await;
    let mut wire = Wire::connect(&pair.gateway).await;
    wire.send(ASK).await;
    let answer = wire.until("server speaks first").await;
    assert_eq!(status(&answer), 101, "{answer}");
    for field in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-accept: y\r\n",
    ] {
        assert!(answer.to_ascii_lowercase().contains(field), "{answer}");
    }
    wire.send("GET \0\n any bytes at all").await;
    pair.upstream.has("GET \0\n any bytes at all").await;
    let received = pair.upstream.received().to_ascii_lowercase();
    assert!(
        received.contains("connection: upgrade\r\n") && received.contains("upgrade: websocket\r\n"),
        "{received}"
    );
    assert!(received.contains("sec-websocket-key: x\r\n"), "{received}");
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.rest().await, "", "an end is passed on");
}

#[tokio::test]
async fn a_refused_switch_leaves_a_connection_that_is_good() {
    let pair = Pair::start(
        &["HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"],
        &[],
    )
    .await;
    let mut wire = Wire::connect(&pair.gateway).await;
    wire.send(ASK).await;
    assert_eq!(status(&wire.until("\r\n\r\nno").await), 403);
    wire.send("GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(status(&wire.until("\r\n\r\nok").await), 200);
}

#[tokio::test]
async fn what_was_sent_before_a_refused_switch_is_a_request_like_any_other() {
    let pair = Pair::start(
        &["HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"],
        &[],
    )
    .await;
    let answer = pair
        .until_closed(&format!("{ASK}\x01\x02smuggled\r\n\r\n"))
        .await;
    assert_eq!(status(&answer), 403, "{answer}");
    assert!(answer.contains("HTTP/1.1 400 "), "{answer}");
    assert!(!pair.upstream.received().contains("smuggled"));
}

#[tokio::test]
async fn what_was_sent_before_a_granted_switch_never_arrives() {
    let pair = Pair::start(&[SWITCH], &[]).await;
    let answer = pair
        .until_closed(&format!(
            "{ASK}GET /proxy/admin HTTP/1.1\r\nhost: a\r\n\r\n"
        ))
        .await;
    assert_eq!(status(&answer), 101, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(!pair.upstream.received().contains("admin"));
}

#[tokio::test]
async fn a_silent_tunnel_is_closed() {
    let pair = Pair::start(
        &[SWITCH],
        &[("GATEWAY__SERVER__TUNNEL_IDLE_TIMEOUT", "150ms")],
    )
    .await;
    assert_eq!(status(&pair.until_closed(ASK).await), 101);
}

#[tokio::test]
async fn a_switch_counts_against_the_limit_like_any_request() {
    let pair = Pair::start(&[SWITCH], &[("RATE_LIMIT_CAPACITY", "1")]).await;
    let mut wire = Wire::connect(&pair.gateway).await;
    wire.send(ASK).await;
    wire.until("\r\n\r\n").await;
    assert_eq!(status(&pair.exchange(ASK).await), 429);
    let open = pair
        .gateway
        .metric("gateway_http_requests_in_flight{route=\"proxy\"}")
        .await;
    assert!(
        (open - 1.0).abs() < f64::EPSILON,
        "a tunnel is a request in flight: {open}"
    );
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.rest().await, "");
}
