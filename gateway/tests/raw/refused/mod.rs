//! Requests that go no further: each is answered with its status as a problem document, the connection is closed, and the
//! upstream has not received a byte. A second request behind the refused one (smuggled, or honest) is never looked at.

mod framing;
mod lines;
mod targets;

use super::wire::{Pair, status};

/// What follows each: if it is ever answered, something was read twice.
const SECOND: &str = "GET /proxy/second HTTP/1.1\r\nhost: a\r\n\r\n";

/// Name, RFC section, status, request.
type Case = (&'static str, &'static str, u16, &'static str);

async fn all_are_refused(cases: &[Case], more: &[(&str, &str)]) {
    let pair = Pair::start(&[], more).await;
    let mut wrong = Vec::new();
    for (name, section, expected, request) in cases {
        let answer = pair.until_closed(&format!("{request}{SECOND}")).await;
        let lower = answer.to_ascii_lowercase();
        let problem = [
            (status(&answer) == *expected, "status"),
            (
                lower.contains("content-type: application/problem+json"),
                "problem",
            ),
            (
                lower.contains("proxy-status: edge;error=http_request_error"),
                "proxy-status",
            ),
            (lower.contains("connection: close"), "connection: close"),
            (lower.contains("x-request-id: "), "x-request-id"),
            (answer.matches("HTTP/1.1 ").count() == 1, "one answer"),
        ];
        for (held, what) in problem {
            if !held {
                wrong.push(format!("{name} ({section}): {what}: {answer}"));
            }
        }
        if !pair.upstream.received().is_empty() {
            panic!(
                "{name} ({section}) was forwarded: {:?}",
                pair.upstream.received()
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn more_than_is_allowed() {
    let many = "x: 1\r\n".repeat(21);
    let large = format!("x: {}\r\n", "y".repeat(2_000));
    let long = "z".repeat(600);
    let more: &[(&str, &str)] = &[
        ("GATEWAY__SERVER__MAX_HEADERS", "20"),
        ("GATEWAY__SERVER__MAX_HEADER_BYTES", "1024"),
        ("GATEWAY__SERVER__MAX_URI_BYTES", "512"),
        ("GATEWAY__SERVER__UNDERSCORE_HEADERS", "reject"),
    ];
    let leak = |text: String| &*text.leak();
    let cases: &[Case] = &[
        (
            "too many fields",
            "6585 5",
            431,
            leak(format!("GET /proxy/x HTTP/1.1\r\nhost: a\r\n{many}\r\n")),
        ),
        (
            "too large fields",
            "6585 5",
            431,
            leak(format!("GET /proxy/x HTTP/1.1\r\nhost: a\r\n{large}\r\n")),
        ),
        (
            "too large fields without an end",
            "6585 5",
            431,
            leak(format!("GET /proxy/x HTTP/1.1\r\nhost: a\r\n{large}")),
        ),
        (
            "too long a target",
            "9110 15.5.15",
            414,
            leak(format!("GET /proxy/{long} HTTP/1.1\r\nhost: a\r\n\r\n")),
        ),
        (
            "too long a target in too large a head",
            "9110 15.5.15",
            414,
            leak(format!(
                "GET /proxy/{long}{long} HTTP/1.1\r\nhost: a\r\n\r\n"
            )),
        ),
        (
            "an underscore",
            "9110 5.1",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx_forwarded_for: 1\r\n\r\n",
        ),
    ];
    all_are_refused(cases, more).await;
}

#[tokio::test]
async fn a_refusal_to_head_has_no_body() {
    let pair = Pair::start(&[], &[]).await;
    let answer = pair
        .until_closed("HEAD /proxy/x HTTP/1.1\r\nhost: a\nx: 1\r\n\r\n")
        .await;
    assert_eq!(status(&answer), 400);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_head_that_ends_early_is_told_so() {
    let pair = Pair::start(&[], &[]).await;
    let answer = pair.cut_off("GET /proxy/x HTTP/1.1\r\nhost: a\r\n").await;
    assert_eq!(status(&answer), 400);
    assert_eq!(pair.cut_off("").await, "", "nothing asked, nothing said");
}

#[tokio::test]
async fn a_head_that_takes_too_long_is_a_timeout() {
    let pair = Pair::start(&[], &[("GATEWAY__SERVER__HEADER_TIMEOUT", "200ms")]).await;
    let answer = pair
        .until_closed("GET /proxy/x HTTP/1.1\r\nhost: a\r\n")
        .await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert_eq!(
        pair.until_closed("").await,
        "",
        "who says nothing is told nothing"
    );
}

#[tokio::test]
async fn what_came_before_a_refused_request_is_answered_first() {
    let pair = Pair::start(&[], &[]).await;
    let good = "GET /proxy/good HTTP/1.1\r\nhost: a\r\n\r\n";
    let answer = pair
        .until_closed(&format!(
            "{good}{good}GET /proxy/x HTTP/1.1\nhost: a\r\n\r\n{good}"
        ))
        .await;
    let answers: Vec<_> = answer
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &answer[at + 9..at + 12])
        .collect();
    assert_eq!(answers, ["200", "200", "400"], "{answer}");
    assert_eq!(pair.upstream.received().matches("GET /good").count(), 2);
}
