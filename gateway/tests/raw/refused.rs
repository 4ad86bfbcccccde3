//! Requests that go no further: each is answered with its status as a problem document, the connection is closed, and the
//! upstream has not received a byte. A second request behind the refused one (smuggled, or honest) is never looked at.

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
async fn a_body_whose_end_is_in_doubt() {
    let cases: &[Case] = &[
        (
            "length, then coding",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "coding, then length",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        ),
        (
            "coding and length 0",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "names in other cases",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\nCONTENT-length: 5\r\nTransfer-ENCODING: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "differing lengths",
            "9112 6.3",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        ),
        (
            "the same length twice",
            "9112 6.3",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        ),
        (
            "a list of lengths",
            "9112 6.3",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5\r\n\r\nhello",
        ),
        (
            "a signed length",
            "9110 8.6",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello",
        ),
        (
            "a negative length",
            "9110 8.6",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\nhello",
        ),
        (
            "a hexadecimal length",
            "9110 8.6",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 0x5\r\n\r\nhello",
        ),
        (
            "a length with a fraction",
            "9110 8.6",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5.0\r\n\r\nhello",
        ),
        (
            "an empty length",
            "9110 8.6",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\nhello",
        ),
        (
            "a length in words",
            "9110 8.6",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: five\r\n\r\nhello",
        ),
        (
            "a length beyond 64 bits",
            "9110 8.6",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551621\r\n\r\nhello",
        ),
        (
            "a length with a blank inside",
            "9110 8.6",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5 5\r\n\r\nhello",
        ),
        (
            "a coding that does not end in chunked",
            "9112 6.3",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        ),
        (
            "chunked, then another",
            "9112 6.3",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunked twice",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "two fields of coding",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        ),
        (
            "identity",
            "9112 7",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n",
        ),
        (
            "an empty coding",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n\r\n",
        ),
        (
            "an almost chunked",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a quoted chunked",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunked with a vertical tab",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "an empty element before chunked",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: , chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a coding nobody here undoes",
            "9112 6.1",
            501,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a coding in HTTP/1.0",
            "9112 6.1",
            400,
            "POST /proxy/x HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ];
    all_are_refused(cases, &[]).await;
}

#[tokio::test]
async fn lines_that_end_or_begin_where_they_should_not() {
    let cases: &[Case] = &[
        (
            "a folded line",
            "9112 5.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx: 1\r\n 2\r\n\r\n",
        ),
        (
            "a line folded with a tab",
            "9112 5.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx: 1\r\n\t2\r\n\r\n",
        ),
        (
            "a blank before the first field",
            "9112 2.2",
            400,
            "GET /proxy/x HTTP/1.1\r\n host: a\r\n\r\n",
        ),
        (
            "a space before the colon",
            "9112 5.1",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost : a\r\n\r\n",
        ),
        (
            "a tab before the colon",
            "9112 5.1",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost\t: a\r\n\r\n",
        ),
        (
            "a length with a space before the colon",
            "9112 5.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length : 5\r\n\r\nhello",
        ),
        (
            "a coding with a space before the colon",
            "9112 5.1",
            400,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "no colon",
            "9112 5",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nfield\r\n\r\n",
        ),
        (
            "no name",
            "9112 5",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\n: value\r\n\r\n",
        ),
        (
            "a name with a control character",
            "9110 5.1",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx\x01y: 1\r\n\r\n",
        ),
        (
            "a name with a slash",
            "9110 5.1",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx/y: 1\r\n\r\n",
        ),
        (
            "a name with a byte beyond ASCII",
            "9110 5.1",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nxé: 1\r\n\r\n",
        ),
        (
            "NUL in a value",
            "9110 5.5",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
        ),
        (
            "DEL in a value",
            "9110 5.5",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx: a\x7fb\r\n\r\n",
        ),
        (
            "a carriage return alone in a value",
            "9112 2.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n",
        ),
        (
            "a carriage return before the line's end",
            "9112 2.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\r\n\r\n",
        ),
        (
            "a line feed alone after a field",
            "9112 2.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\nx: 1\r\n\r\n",
        ),
        (
            "a line feed alone after the request line",
            "9112 2.2",
            400,
            "GET /proxy/x HTTP/1.1\nhost: a\r\n\r\n",
        ),
        (
            "line feeds only",
            "9112 2.2",
            400,
            "GET /proxy/x HTTP/1.1\nhost: a\n\n",
        ),
        (
            "a line feed as the empty line",
            "9112 2.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\n\n",
        ),
        (
            "a line feed before the request line",
            "9112 2.2",
            400,
            "\nGET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
    ];
    all_are_refused(cases, &[]).await;
}

#[tokio::test]
async fn request_lines_that_are_none() {
    let cases: &[Case] = &[
        (
            "no version",
            "9112 3",
            400,
            "GET /proxy/x\r\nhost: a\r\n\r\n",
        ),
        (
            "HTTP/0.9 by name",
            "9112 2.3",
            400,
            "GET /proxy/x HTTP/0.9\r\nhost: a\r\n\r\n",
        ),
        (
            "HTTP/1.2",
            "9112 2.3",
            400,
            "GET /proxy/x HTTP/1.2\r\nhost: a\r\n\r\n",
        ),
        (
            "HTTP/2.0 in text",
            "9112 2.3",
            400,
            "GET /proxy/x HTTP/2.0\r\nhost: a\r\n\r\n",
        ),
        (
            "http in small letters",
            "9112 2.3",
            400,
            "GET /proxy/x http/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "something after the version",
            "9112 3",
            400,
            "GET /proxy/x HTTP/1.1 x\r\nhost: a\r\n\r\n",
        ),
        (
            "two spaces after the method",
            "9112 3",
            400,
            "GET  /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "a tab after the method",
            "9112 3",
            400,
            "GET\t/proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "a space before the method",
            "9112 3",
            400,
            " GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "a method that is no token",
            "9110 9.1",
            400,
            "G@T /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "a space within the target",
            "9112 3.2",
            400,
            "GET /proxy/x y HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "a control character in the target",
            "9112 3.2",
            400,
            "GET /proxy/\x01 HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "a fragment in the target",
            "9112 3.2",
            400,
            "GET /proxy/x#y HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        ("rubbish", "9112 3", 400, "\x16\x03\x01\x02\r\n\r\n"),
    ];
    all_are_refused(cases, &[]).await;
}

#[tokio::test]
async fn targets_and_hosts_that_name_nobody_or_two() {
    let cases: &[Case] = &[
        ("no Host", "9112 3.2", 400, "GET /proxy/x HTTP/1.1\r\n\r\n"),
        (
            "two Hosts",
            "9112 3.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        ),
        (
            "the same Host twice",
            "9112 3.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        ),
        (
            "an empty Host",
            "9112 3.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost:\r\n\r\n",
        ),
        (
            "a list as Host",
            "9112 3.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a, b\r\n\r\n",
        ),
        (
            "a URL as Host",
            "9112 3.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: http://a\r\n\r\n",
        ),
        (
            "a path in Host",
            "9112 3.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a/b\r\n\r\n",
        ),
        (
            "somebody in Host",
            "9110 4.2.4",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: u@a\r\n\r\n",
        ),
        (
            "a port that is none",
            "9112 3.2",
            400,
            "GET /proxy/x HTTP/1.1\r\nhost: a:port\r\n\r\n",
        ),
        (
            "no Host beside an absolute target",
            "9112 3.2",
            400,
            "GET http://a/proxy/x HTTP/1.1\r\n\r\n",
        ),
        (
            "somebody in an absolute target",
            "9110 4.2.4",
            400,
            "GET http://u:p@a/proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "another scheme",
            "9112 3.2.2",
            400,
            "GET ftp://a/proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "an authority without CONNECT",
            "9112 3.2.3",
            400,
            "GET a:80 HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "an asterisk without OPTIONS",
            "9112 3.2.4",
            400,
            "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "a relative target",
            "9112 3.2",
            400,
            "GET proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "CONNECT",
            "9110 9.3.6",
            501,
            "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n",
        ),
        (
            "TRACE that ends here",
            "9110 7.6.2",
            501,
            "TRACE /proxy/x HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n",
        ),
        (
            "Max-Forwards that is no number",
            "9110 7.6.2",
            400,
            "OPTIONS /proxy/x HTTP/1.1\r\nhost: a\r\nmax-forwards: -1\r\n\r\n",
        ),
        (
            "an expectation nobody meets",
            "9110 10.1.1",
            417,
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\nexpect: miracle\r\ncontent-length: 5\r\n\r\nhello",
        ),
        (
            "dot segments",
            "3986 6.2.2",
            400,
            "GET /proxy/../admin HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "encoded dot segments",
            "3986 6.2.2",
            400,
            "GET /proxy/%2e%2E/admin HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "dot segments behind an encoded slash",
            "3986 6.2.2",
            400,
            "GET /proxy/a%2f..%2fadmin HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "dot segments behind a backslash",
            "3986 6.2.2",
            400,
            "GET /proxy/a%5c..%5cadmin HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "dot segments with a parameter",
            "3986 6.2.2",
            400,
            "GET /proxy/..;x/admin HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "an encoded NUL",
            "3986 7.3",
            400,
            "GET /proxy/a%00 HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
    ];
    all_are_refused(cases, &[]).await;
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
