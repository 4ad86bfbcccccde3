//! Requests that look odd and are sound: forwarded, once, in the form the upstream can rely on.

use super::wire::{Pair, status};

/// Name, RFC section, request, what the upstream must have received, what it must not.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

#[tokio::test]
async fn what_is_sound_is_forwarded() {
    let cases: &[Case] = &[
        (
            "plain",
            "9112 3",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
            &["GET /x HTTP/1.1\r\n"],
            &["content-length", "transfer-encoding"],
        ),
        (
            "an empty line first",
            "9112 2.2",
            "\r\nGET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
            &["GET /x HTTP/1.1\r\n"],
            &[],
        ),
        (
            "no space after the colon",
            "9112 5",
            "GET /proxy/x HTTP/1.1\r\nhost:a\r\nx-y:z\r\n\r\n",
            &["x-y: z\r\n"],
            &[],
        ),
        (
            "blanks around a value",
            "9112 5",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx-y:  \t z \t\r\n\r\n",
            &["x-y: z\r\n"],
            &[],
        ),
        (
            "an empty value",
            "9110 5.5",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx-y:\r\n\r\n",
            &["x-y: \r\n"],
            &[],
        ),
        (
            "bytes beyond ASCII in a value",
            "9110 5.5",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx-y: \u{e9}\r\n\r\n",
            &["x-y: \u{e9}\r\n"],
            &[],
        ),
        (
            "a field twice",
            "9110 5.3",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx-y: 1\r\nx-y: 2\r\n\r\n",
            &["x-y: 1\r\n", "x-y: 2\r\n"],
            &[],
        ),
        (
            "an unknown method",
            "9110 9.1",
            "BREW /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n",
            &["BREW /x HTTP/1.1\r\n"],
            &[],
        ),
        (
            "an absolute target replaces Host",
            "9112 3.2.2",
            "GET http://other:8/proxy/x?q HTTP/1.1\r\nhost: a\r\n\r\n",
            &["GET /x?q HTTP/1.1\r\n", "x-forwarded-host: other:8\r\n"],
            &["x-forwarded-host: a"],
        ),
        (
            "a query of anything",
            "3986 3.4",
            "GET /proxy/x?a=/../b&c=%00&&? HTTP/1.1\r\nhost: a\r\n\r\n",
            &["GET /x?a=/../b&c=%00&&? HTTP/1.1\r\n"],
            &[],
        ),
        (
            "an encoded slash",
            "3986 2.2",
            "GET /proxy/a%2Fb HTTP/1.1\r\nhost: a\r\n\r\n",
            &["GET /a%2Fb HTTP/1.1\r\n"],
            &[],
        ),
        (
            "two slashes",
            "3986 3.3",
            "GET /proxy//a//b HTTP/1.1\r\nhost: a\r\n\r\n",
            &["GET //a//b HTTP/1.1\r\n"],
            &[],
        ),
        (
            "dots that are no segment",
            "3986 3.3",
            "GET /proxy/.well-known/a..b/... HTTP/1.1\r\nhost: a\r\n\r\n",
            &["GET /.well-known/a..b/... HTTP/1.1\r\n"],
            &[],
        ),
        (
            "a body of known length",
            "9112 6.2",
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
            &["content-length: 5\r\n", "\r\n\r\nhello"],
            &["transfer-encoding"],
        ),
        (
            "a body of length 0",
            "9112 6.2",
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
            &["content-length: 0\r\n"],
            &["transfer-encoding"],
        ),
        (
            "a length with zeros before it",
            "9110 8.6",
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 005\r\n\r\nhello",
            &["\r\n\r\nhello"],
            &["transfer-encoding"],
        ),
        (
            "a GET with a body",
            "9110 9.3.1",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
            &["content-length: 5\r\n", "\r\n\r\nhello"],
            &[],
        ),
        (
            "a chunked body",
            "9112 7.1",
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            &[
                "transfer-encoding: chunked\r\n",
                "\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ],
            &["content-length"],
        ),
        (
            "a chunked GET",
            "9112 7.1",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            &[
                "transfer-encoding: chunked\r\n",
                "\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ],
            &["content-length"],
        ),
        (
            "Chunked with capitals",
            "9112 7",
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            &["transfer-encoding: chunked\r\n"],
            &[],
        ),
        (
            "chunk extensions are dropped",
            "9112 7.1.1",
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n0;z\r\n\r\n",
            &["\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
            &["a=b"],
        ),
        (
            "trailers that were announced",
            "9112 7.1.2",
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
            &["trailer: x-sum\r\n", "0\r\nx-sum: 1\r\n\r\n"],
            &[],
        ),
        (
            "HTTP/1.0 with a Host",
            "9112 2.3",
            "GET /proxy/x HTTP/1.0\r\nhost: a\r\n\r\n",
            &["GET /x HTTP/1.1\r\n", "via: 1.0 edge\r\n"],
            &[],
        ),
        (
            "HTTP/1.0 without",
            "9112 3.2",
            "GET /proxy/x HTTP/1.0\r\n\r\n",
            &["GET /x HTTP/1.1\r\n"],
            &["x-forwarded-host"],
        ),
        (
            "Max-Forwards of OPTIONS counts down",
            "9110 7.6.2",
            "OPTIONS /proxy/x HTTP/1.1\r\nhost: a\r\nmax-forwards: 3\r\n\r\n",
            &["max-forwards: 2\r\n"],
            &[],
        ),
        (
            "Max-Forwards of TRACE counts down",
            "9110 7.6.2",
            "TRACE /proxy/x HTTP/1.1\r\nhost: a\r\nmax-forwards: 1\r\n\r\n",
            &["max-forwards: 0\r\n"],
            &[],
        ),
        (
            "Max-Forwards of GET means nothing",
            "9110 7.6.2",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n",
            &["max-forwards: 0\r\n"],
            &[],
        ),
        (
            "underscores are dropped",
            "9110 5.1",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nx_forwarded_for: 6.6.6.6\r\nx-y: 1\r\n\r\n",
            &["x-y: 1\r\n"],
            &["x_forwarded_for"],
        ),
        (
            "what Connection names stays here",
            "9110 7.6.1",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nconnection: x-secret, X-Other ,x-forwarded-for\r\nx-secret: 1\r\nx-other: 2\r\n\r\n",
            &["x-forwarded-for: 127.0.0.1\r\n"],
            &["x-secret", "x-other", "connection"],
        ),
        (
            "Connection cannot name the length away",
            "9110 7.6.1",
            "POST /proxy/x HTTP/1.1\r\nhost: a\r\nconnection: content-length, host\r\ncontent-length: 5\r\n\r\nhello",
            &["content-length: 5\r\n", "host: "],
            &["connection"],
        ),
        (
            "fields of this hop stay here",
            "9110 7.6.1",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nproxy-authorization: x\r\nte: gzip\r\n\r\n",
            &[],
            &["keep-alive", "proxy-", "te: "],
        ),
        (
            "TE: trailers is asked for again",
            "9110 10.1.4",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nte: trailers, gzip;q=0.5\r\nconnection: te\r\n\r\n",
            &["te: trailers\r\n", "connection: te\r\n"],
            &["gzip"],
        ),
        (
            "what hops say of a client is no client's to say",
            "7239 8.1",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nforwarded: for=6.6.6.6;host=bank\r\nx-real-ip: 6.6.6.6\r\nx-forwarded-for: 6.6.6.6\r\nx-forwarded-port: 443\r\nx-forwarded-prefix: /admin\r\nx-kept: 1\r\n\r\n",
            &["x-kept: 1\r\n", "x-forwarded-for: 127.0.0.1\r\n"],
            &[
                "6.6.6.6",
                "bank",
                "x-real-ip",
                "x-forwarded-port",
                "x-forwarded-prefix",
            ],
        ),
        (
            "an upgrade to h2c is not passed on",
            "9113 3.1",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
            &["GET /x"],
            &["upgrade", "http2-settings", "h2c"],
        ),
        (
            "an upgrade without Connection is not one",
            "9110 7.8",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n",
            &["GET /x"],
            &["upgrade"],
        ),
        (
            "Via is added to",
            "9110 7.6.3",
            "GET /proxy/x HTTP/1.1\r\nhost: a\r\nvia: 1.0 fred\r\n\r\n",
            &["via: 1.0 fred\r\n", "via: 1.1 edge\r\n"],
            &[],
        ),
    ];
    for (name, section, request, has, has_not) in cases {
        let pair = Pair::start(&[], &[]).await;
        let answer = pair.exchange(request).await;
        let received = pair.upstream.received();
        assert_eq!(status(&answer), 200, "{name} ({section}): {answer}");
        assert!(
            answer.ends_with("\r\n\r\nok"),
            "{name} ({section}): {answer}"
        );
        for text in *has {
            assert!(
                received.contains(text),
                "{name} ({section}): no {text:?} in {received:?}"
            );
        }
        for text in *has_not {
            assert!(
                !received.contains(text),
                "{name} ({section}): {text:?} in {received:?}"
            );
        }
        assert_eq!(
            received.matches(" HTTP/1.1\r\n").count(),
            1,
            "{name}: forwarded once: {received:?}"
        );
    }
}

#[tokio::test]
async fn what_asks_the_gateway_itself_is_answered_by_it() {
    let pair = Pair::start(&[], &[]).await;
    for request in [
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
        "OPTIONS /proxy/x HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n",
    ] {
        let answer = pair.exchange(request).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(answer.contains("allow: "), "{answer}");
    }
    assert_eq!(pair.upstream.received(), "");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_the_same_head() {
    let pair = Pair::start(&[], &[]).await;
    let mut wire = super::wire::Wire::connect(&pair.gateway).await;
    for byte in "POST /proxy/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".chars() {
        wire.send(&byte.to_string()).await;
    }
    assert_eq!(status(&wire.until("\r\n\r\nok").await), 200);
    assert!(pair.upstream.received().starts_with("POST /x HTTP/1.1\r\n"));
}
