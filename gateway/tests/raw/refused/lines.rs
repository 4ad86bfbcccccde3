//! Lines that end, begin or are divided where they should not.

use super::{Case, all_are_refused};

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
