//! Request bodies that break on their way, and the order of verdict, `100 Continue` and body.

use super::wire::{Pair, Wire, status};

#[tokio::test]
async fn a_chunk_that_is_none_ends_the_request_and_the_connection() {
    let bodies = [
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        ("a size that is no number", "g\r\nhello\r\n0\r\n\r\n"),
        ("a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
        ("a prefixed size", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a blank before the size", " 5\r\nhello\r\n0\r\n\r\n"),
        (
            "a size beyond 64 bits",
            "10000000000000005\r\nhello\r\n0\r\n\r\n",
        ),
        ("a line feed alone after the size", "5\nhello\r\n0\r\n\r\n"),
        (
            "a carriage return alone after the size",
            "5\rhello\r\n0\r\n\r\n",
        ),
        (
            "a line feed alone in an extension",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
        ),
        ("NUL in an extension", "5;a\0b\r\nhello\r\n0\r\n\r\n"),
        ("a blank within the size", "5 5\r\nhello\r\n0\r\n\r\n"),
        ("a blank and no extension", "5\r\nhello\r\n0 x\r\n\r\n"),
        ("more data than said", "5\r\nhello!\r\n0\r\n\r\n"),
        ("less data than said", "6\r\nhello\r\n0\r\n\r\n"),
        ("a line feed alone after the data", "5\r\nhello\n0\r\n\r\n"),
        ("a folded trailer", "5\r\nhello\r\n0\r\n folded\r\n\r\n"),
        (
            "a line feed alone after a trailer",
            "5\r\nhello\r\n0\r\nx: 1\n\r\n",
        ),
        ("a line feed as the last line", "5\r\nhello\r\n0\r\n\n"),
    ];
    for (name, body) in bodies {
        let pair = Pair::start(&[], &[]).await;
        let head = "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let smuggled = "GET /proxy/second HTTP/1.1\r\nhost: a\r\n\r\n";
        let answer = pair.until_closed(&format!("{head}{body}{smuggled}")).await;
        assert_eq!(status(&answer), 400, "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer}");
        let received = pair.upstream.received();
        assert!(!received.contains("second"), "{name}: {received:?}");
        assert!(
            !received.ends_with("0\r\n\r\n"),
            "{name} looked whole: {received:?}"
        );
    }
}

#[tokio::test]
async fn an_extension_has_an_end() {
    let pair = Pair::start(&[], &[]).await;
    let extension = "x".repeat(5_000);
    let answer = pair
        .until_closed(&format!("POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;{extension}\r\nhello\r\n0\r\n\r\n"))
        .await;
    assert_eq!(status(&answer), 400, "{answer}");
}

#[tokio::test]
async fn a_body_that_ends_early_never_looks_whole() {
    for (head, body) in [
        ("content-length: 10", "hello"),
        ("transfer-encoding: chunked", "5\r\nhello\r\n"),
    ] {
        let pair = Pair::start(&[], &[]).await;
        let answer = pair
            .cut_off(&format!(
                "POST /proxy/x HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n{body}"
            ))
            .await;
        assert!(
            answer.is_empty() || status(&answer) == 400,
            "{head}: {answer}"
        );
        assert!(!pair.upstream.received().ends_with("0\r\n\r\n"), "{head}");
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let pair = Pair::start(&[], &[]).await;
    let mut wire = Wire::connect(&pair.gateway).await;
    wire.send(
        "POST /proxy/x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
    )
    .await;
    wire.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    wire.send("hello").await;
    assert_eq!(status(&wire.until("\r\n\r\nok").await), 200);
    let received = pair.upstream.received();
    assert!(!received.contains("expect"), "answered here: {received:?}");
}

#[tokio::test]
async fn the_verdict_comes_before_100_continue() {
    let ask =
        "POST /proxy/x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    let pair = Pair::start(&[], &[("RATE_LIMIT_CAPACITY", "1")]).await;
    assert_eq!(
        status(
            &pair
                .exchange("GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n")
                .await
        ),
        200
    );
    let answer = pair.until_closed(ask).await;
    assert_eq!(status(&answer), 429, "no 100 before it: {answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    let unknown = pair
        .until_closed(&ask.replace("/proxy/x", "/nowhere"))
        .await;
    assert_eq!(status(&unknown), 404, "{unknown}");
}

#[tokio::test]
async fn http_1_0_is_never_told_to_continue() {
    let pair = Pair::start(&[], &[]).await;
    let answer = pair
        .exchange("POST /proxy/x HTTP/1.0\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello")
        .await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(pair.upstream.received().ends_with("hello"));
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_is_still_sending() {
    let pair = Pair::start(&[], &[]).await;
    let mut wire = Wire::connect(&pair.gateway).await;
    wire.send("POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
        .await;
    wire.send(&"x".repeat(500_000)).await;
    let answer = wire.rest().await;
    assert_eq!(status(&answer), 404);
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

const SMALL: &[(&str, &str)] = &[
    ("GATEWAY__SERVER__MAX_BODY_BYTES", "8"),
    ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "1"),
];

#[tokio::test]
async fn a_body_too_large_is_refused_when_it_says_so() {
    let pair = Pair::start(&[], SMALL).await;
    let answer = pair
        .until_closed("POST /proxy/x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        .await;
    assert_eq!(status(&answer), 413, "{answer}");
    assert_eq!(pair.upstream.received(), "");
    let fits = pair
        .exchange("POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n12345678")
        .await;
    assert_eq!(status(&fits), 200, "{fits}");
}

#[tokio::test]
async fn a_body_too_large_is_refused_when_it_turns_out_to_be() {
    let pair = Pair::start(&[], SMALL).await;
    let head = "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = pair
        .until_closed(&format!("{head}5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"))
        .await;
    assert_eq!(status(&answer), 413, "{answer}");
    let fits = pair
        .exchange(&format!("{head}5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"))
        .await;
    assert_eq!(status(&fits), 200, "the upstream was not to blame: {fits}");
}

#[tokio::test]
async fn a_slow_body_is_the_clients_fault() {
    for slow in [
        ("GATEWAY__SERVER__BODY_TIMEOUT", "150ms"),
        ("UPSTREAM_TIMEOUT", "1"),
    ] {
        let pair = Pair::start(&[], &[slow, ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "1")]).await;
        let answer = pair
            .until_closed("POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhello")
            .await;
        assert_eq!(status(&answer), 408, "{slow:?}: {answer}");
        assert_eq!(
            status(
                &pair
                    .exchange("GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n")
                    .await
            ),
            200
        );
    }
}
