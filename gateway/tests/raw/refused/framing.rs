//! Bodies of which two readers could see two ends.

use super::{Case, all_are_refused};

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
