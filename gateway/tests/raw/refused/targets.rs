//! Targets and hosts that name nobody, or two, and what may not be asked of a gateway.

use super::{Case, all_are_refused};

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
