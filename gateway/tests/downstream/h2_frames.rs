//! HTTP/2 frame by frame: what breaks the rules ends its stream or its connection, and never reaches an upstream.

use std::time::Duration;

use tokio::time::Instant;

use super::frames::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, GOAWAY,
    HEADERS, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire,
    block, frame, get,
};
use super::support::eventually;
use super::wire::Pair;

const FLOODS: &str = "gateway_client_connections_ended_total{reason=\"flood\"}";
const REQUESTS: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/proxy/x"),
    (":authority", "api.example"),
];

/// A good head with one field changed, added (a name that is not there) or taken away (an empty value).
fn changed(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut fields: Vec<_> = REQUESTS.to_vec();
    match fields.iter_mut().find(|(known, _)| *known == name) {
        Some(field) => field.1 = value,
        None => fields.push((name, value)),
    }
    fields
}

fn without(name: &str) -> Vec<(&'static str, &'static str)> {
    let fields = REQUESTS.iter().filter(|(known, _)| *known != name);
    fields.copied().collect()
}

#[tokio::test]
async fn a_malformed_request_is_reset_or_refused_and_goes_no_further() {
    let pair = Pair::start(&[], &[]).await;
    let mut twice = REQUESTS.to_vec();
    twice.push((":path", "/proxy/y"));
    let mut late = vec![("accept", "*/*")];
    late.extend(REQUESTS);
    let cases = [
        ("an upper case name", changed("X-Upper", "1")),
        ("Connection", changed("connection", "close")),
        ("Keep-Alive", changed("keep-alive", "timeout=5")),
        ("Proxy-Connection", changed("proxy-connection", "close")),
        ("Transfer-Encoding", changed("transfer-encoding", "chunked")),
        ("Upgrade", changed("upgrade", "websocket")),
        ("TE that is not trailers", changed("te", "gzip")),
        ("an unknown pseudo-header", changed(":secret", "1")),
        ("a response's pseudo-header", changed(":status", "200")),
        ("a pseudo-header twice", twice),
        ("a pseudo-header after a field", late),
        ("no method", without(":method")),
        ("no scheme", without(":scheme")),
        ("no path", without(":path")),
        ("an empty path", changed(":path", "")),
        ("a path that is none", changed(":path", "proxy/x")),
        ("`*` with GET", changed(":path", "*")),
        ("no authority", without(":authority")),
        ("userinfo", changed(":authority", "me@api.example")),
        ("an authority that is none", changed(":authority", "a b")),
        ("another Host", changed("host", "bank.example")),
        ("another scheme", changed(":scheme", "gopher")),
        ("a blank before a value", changed("x-blank", " 1")),
        ("a blank after a value", changed("x-blank", "1\t")),
        ("a line's end in a value", changed("x-line", "1\r\nx: 2")),
        ("a space in a name", changed("x blank", "1")),
        (
            "a length that is no number",
            changed("content-length", "+1"),
        ),
        ("a length without a body", changed("content-length", "5")),
        (":protocol with GET", changed(":protocol", "websocket")),
    ];
    for (what, fields) in cases {
        let mut wire = Wire::open(pair.gateway.proxy()).await;
        wire.ask(1, &block(&fields)).await;
        let verdict = wire.verdict(1).await;
        let is_refused = match verdict.kind {
            RST_STREAM | GOAWAY => verdict.code() == PROTOCOL_ERROR,
            _ => verdict.has_status(400),
        };
        assert!(is_refused, "{what}: {verdict:?}");
    }
    assert_eq!(pair.upstream.received(), "");
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_it_says_never_looks_whole() {
    let pair = Pair::start(&[], &[]).await;
    for (length, body) in [("4", "too long"), ("9", "short")] {
        let mut wire = Wire::open(pair.gateway.proxy()).await;
        let mut fields = changed(":method", "POST");
        fields.push(("content-length", length));
        wire.send(HEADERS, END_HEADERS, 1, &block(&fields)).await;
        wire.send(DATA, END_STREAM, 1, body.as_bytes()).await;
        let verdict = wire.verdict(1).await;
        let is_refused = verdict.kind == RST_STREAM && verdict.code() == PROTOCOL_ERROR;
        assert!(
            is_refused || verdict.has_status(400),
            "{length}: {verdict:?}"
        );
    }
    assert!(!pair.upstream.received().contains("too long"));
}

#[tokio::test]
async fn frames_that_break_the_rules_end_the_connection() {
    let pair = Pair::start(&[], &[]).await;
    let cases: [(&str, Vec<u8>); 10] = [
        ("DATA on an idle stream", frame(DATA, 0, 1, b"x")),
        ("DATA on stream 0", frame(DATA, 0, 0, b"x")),
        (
            "HEADERS on stream 0",
            frame(HEADERS, 5, 0, &get("/proxy/x", &[])),
        ),
        (
            "HEADERS on an even stream",
            frame(HEADERS, 5, 2, &get("/proxy/x", &[])),
        ),
        (
            "RST_STREAM on an idle stream",
            frame(RST_STREAM, 0, 1, &[0; 4]),
        ),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, b"")),
        ("SETTINGS of a wrong length", frame(SETTINGS, 0, 0, &[0; 5])),
        ("PING of a wrong length", frame(PING, 0, 0, &[0; 7])),
        ("a window of zero", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("CONTINUATION of nothing", frame(CONTINUATION, 4, 1, b"")),
    ];
    for (what, bytes) in cases {
        let mut wire = Wire::open(pair.gateway.proxy()).await;
        wire.write(&bytes).await;
        let farewell = wire
            .end()
            .await
            .unwrap_or_else(|| panic!("{what}: no GOAWAY"));
        assert_ne!(farewell.code(), 0, "{what}");
    }
    assert_eq!(pair.upstream.received(), "");
}

#[tokio::test]
async fn a_request_survives_what_is_merely_odd() {
    let pair = Pair::start(&[], &[]).await;
    let mut wire = Wire::open(pair.gateway.proxy()).await;
    wire.send(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]).await;
    wire.send(0x77, 0, 0, b"nobody knows this frame").await;
    let head = get("/proxy/x", &[("host", "API.example")]);
    let (begin, end) = head.split_at(10);
    wire.send(HEADERS, END_STREAM, 1, begin).await;
    wire.send(CONTINUATION, END_HEADERS, 1, end).await;
    let verdict = wire.verdict(1).await;
    assert!(verdict.has_status(200), "{verdict:?}");
    wire.send(PING, 0, 0, b"12345678").await;
    let pong = wire.until(|frame| frame.kind == PING && frame.flags & ACK != 0);
    assert_eq!(pong.await.unwrap().payload, b"12345678");
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused_one_by_one() {
    let limits = [
        ("GATEWAY__SERVER__MAX_HEADERS", "10"),
        ("GATEWAY__SERVER__MAX_HEADER_BYTES", "1000"),
        ("GATEWAY__SERVER__MAX_URI_BYTES", "300"),
    ];
    let pair = Pair::start(&[], &limits).await;
    let long = "x".repeat(1100);
    let target = format!("/proxy/{}", &long[..300]);
    let many: Vec<_> = (0..11).map(|number| (format!("x-{number}"), "1")).collect();
    let many: Vec<_> = many
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let cases = [
        ("431", get("/proxy/x", &[("x-long", &long)])),
        ("431", get("/proxy/x", &many)),
        ("414", get(&target, &[])),
    ];
    for (number, (status, head)) in cases.iter().enumerate() {
        let mut wire = Wire::open(pair.gateway.proxy()).await;
        wire.ask(1, head).await;
        let body = wire.until(|frame| frame.kind == DATA).await.unwrap();
        let body = String::from_utf8_lossy(&body.payload).into_owned();
        assert!(
            body.contains(&format!("\"status\":{status}")),
            "{number}: {body}"
        );
        wire.ask(3, &get("/proxy/x", &[])).await;
        assert!(
            wire.verdict(3).await.has_status(200),
            "{number}: the connection is good"
        );
    }
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_unseen() {
    let slow = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    let limits = [("GATEWAY__SERVER__HTTP2__MAX_CONCURRENT_STREAMS", "2")];
    let pair = Pair::start(&[slow, slow], &limits).await;
    let mut wire = Wire::open(pair.gateway.proxy()).await;
    // The limit holds from the client's acknowledgement on.
    wire.until(|frame| frame.kind == SETTINGS && frame.flags & ACK != 0)
        .await;
    for stream in [1, 3] {
        wire.ask(stream, &get("/proxy/x", &[])).await;
        assert!(wire.verdict(stream).await.has_status(200));
    }
    wire.ask(5, &get("/proxy/x", &[])).await;
    let verdict = wire.verdict(5).await;
    assert_eq!(
        (verdict.kind, verdict.code()),
        (RST_STREAM, 7),
        "REFUSED_STREAM"
    );
}

/// Sends `piece` until the gateway hangs up; the error code of its good-bye, if it could be read.
async fn flood(pair: &Pair, mut piece: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    let mut wire = Wire::open(pair.gateway.proxy()).await;
    for number in 0..100_000 {
        if !wire.write(&piece(number)).await {
            break;
        }
        assert!(number < 99_999, "the flood goes on");
    }
    wire.end().await.map(|farewell| farewell.code())
}

#[tokio::test]
async fn floods_of_what_carries_nothing_on_end_the_connection() {
    let pair = Pair::start(&[], &[]).await;
    let floods: [(&str, Vec<u8>); 6] = [
        ("pings", frame(PING, 0, 0, &[0; 8])),
        ("pongs", frame(PING, ACK, 0, &[0; 8])),
        ("settings", frame(SETTINGS, 0, 0, b"")),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown frames", frame(0x77, 0, 0, b"")),
    ];
    for (number, (what, bytes)) in floods.into_iter().enumerate() {
        flood(&pair, |_| bytes.repeat(50)).await;
        let expected = f64::from(u32::try_from(number + 1).unwrap());
        eventually(what, || async {
            pair.gateway.metric(FLOODS).await == expected
        })
        .await;
    }
}

#[tokio::test]
async fn who_floods_is_told_to_calm_down() {
    let pair = Pair::start(&[], &[]).await;
    let mut wire = Wire::open(pair.gateway.proxy()).await;
    wire.write(&frame(PING, ACK, 0, &[0; 8]).repeat(2_100))
        .await;
    let code = wire.end().await.map(|farewell| farewell.code());
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_header_block_without_an_end_ends_the_connection() {
    let pair = Pair::start(&[], &[]).await;
    let code = flood(&pair, |number| match number {
        0 => frame(HEADERS, END_STREAM, 1, &get("/proxy/x", &[])),
        _ => frame(CONTINUATION, 0, 1, &block(&[("x", "y")])),
    });
    // A reset may overtake the good-bye.
    let code = code.await;
    assert!(matches!(code, None | Some(ENHANCE_YOUR_CALM)), "{code:?}");
    assert_eq!(pair.upstream.received(), "");
}

#[tokio::test]
async fn empty_data_without_an_end_ends_the_connection() {
    let pair = Pair::start(&[], &[]).await;
    let head = block(&changed(":method", "POST"));
    flood(&pair, |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &head),
        _ => frame(DATA, 0, 1, b"").repeat(50),
    })
    .await;
}

#[tokio::test]
async fn requests_taken_back_at_once_end_the_connection() {
    let pair = Pair::start(&[], &[]).await;
    flood(&pair, |number| {
        let stream = 2 * number + 1;
        let mut bytes = frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &get("/proxy/x", &[]),
        );
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        bytes
    })
    .await;
    assert!(pair.upstream.connections() <= 200);
}

#[tokio::test]
async fn requests_taken_back_one_by_one_end_the_connection() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", upstream.local_addr().unwrap());
    let gateway = super::support::gateway::Gateway::start(&url, &[]);
    let mut wire = Wire::open(gateway.proxy()).await;
    let begun = "gateway_http_requests_total{route=\"proxy\",method=\"GET\",code=\"499\"}";
    let mut sent = 0;
    for stream in (1..2_000).step_by(2) {
        let written = wire.ask(stream, &get("/proxy/x", &[])).await;
        // The request is begun before it is taken back.
        wire.send(PING, 0, 0, &[1; 8]).await;
        let pong = wire.until(|frame| frame.kind == PING && frame.flags & ACK != 0);
        if pong.await.is_none() || !written {
            break;
        }
        wire.send(RST_STREAM, 0, stream, &8_u32.to_be_bytes()).await;
        sent += 1;
    }
    assert!((200..400).contains(&sent), "{sent} were taken back");
    assert_eq!(gateway.metric(FLOODS).await, 1.0);
    assert!(gateway.metric(begun).await >= 200.0);
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_is_given_up_and_no_other() {
    let silent = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    let patience = [("GATEWAY__SERVER__KEEPALIVE_TIMEOUT", "500ms")];
    let pair = Pair::start(&[silent], &patience).await;
    let mut wire = Wire::connect(pair.gateway.proxy()).await;
    wire.write(PREFACE).await;
    // SETTINGS_INITIAL_WINDOW_SIZE: nothing is taken but where it is said.
    wire.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
    let answered = |stream| move |frame: &Frame| frame.kind == HEADERS && frame.stream == stream;
    wire.ask(1, &get("/proxy/silent", &[])).await;
    wire.until(answered(1)).await.unwrap();
    let begun = Instant::now();
    wire.ask(3, &get("/proxy/shut", &[])).await;
    wire.until(answered(3)).await.unwrap();
    let reset = wire.until(|frame| frame.kind == RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, reset.code()), (3, CANCEL));
    assert!(begun.elapsed() >= Duration::from_millis(500));
    // The connection is good, and so is the stream that waits for its upstream.
    wire.ask(5, &get("/proxy/open", &[])).await;
    wire.send(WINDOW_UPDATE, 0, 5, &[0, 0, 0, 2]).await;
    let next = |frame: &Frame| matches!(frame.kind, DATA | RST_STREAM);
    let data = wire.until(next).await.unwrap();
    assert_eq!((data.stream, &data.payload[..]), (5, &b"ok"[..]));
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_the_connection() {
    let pair = Pair::start(&[], &[("GATEWAY__SERVER__HEADER_TIMEOUT", "100ms")]).await;
    let head = get("/proxy/x", &[]);
    let beginnings = [
        PREFACE[..10].to_vec(),
        [
            PREFACE,
            &frame(SETTINGS, 0, 0, b""),
            &frame(HEADERS, END_STREAM, 1, &head),
        ]
        .concat(),
        [
            PREFACE,
            &frame(SETTINGS, 0, 0, b""),
            &frame(HEADERS, 5, 1, &head)[..20],
        ]
        .concat(),
        [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat(),
    ];
    for bytes in beginnings {
        let mut wire = Wire::connect(pair.gateway.proxy()).await;
        wire.write(&bytes).await;
        wire.end().await;
    }
    assert_eq!(pair.upstream.received(), "");
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go_and_pings_do_not_keep_it() {
    let pair = Pair::start(&[], &[("GATEWAY__SERVER__KEEPALIVE_TIMEOUT", "200ms")]).await;
    let mut wire = Wire::open(pair.gateway.proxy()).await;
    wire.ask(1, &get("/proxy/x", &[])).await;
    assert!(wire.verdict(1).await.has_status(200));
    loop {
        wire.send(PING, 0, 0, &[1; 8]).await;
        let Some(frame) = wire
            .until(|frame| frame.kind == PING || frame.kind == GOAWAY)
            .await
        else {
            panic!("no GOAWAY");
        };
        if frame.kind == GOAWAY {
            assert_eq!(frame.code(), 0);
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    wire.end().await;
}
