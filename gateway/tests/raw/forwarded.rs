//! Headers of answers on their way back.

use super::wire::{Pair, status};

const GET: &str = "GET /proxy/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// Name, RFC section, the upstream's answer, what the client must get, what it must not.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

#[tokio::test]
async fn answers_pass_without_the_fields_of_the_other_hop() {
    let cases: &[Case] = &[
        (
            "fields of the hop",
            "9110 7.6.1",
            "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-secret\r\nkeep-alive: timeout=5\r\nx-secret: 1\r\nx-kept: 2\r\nproxy-authenticate: Basic\r\ncontent-length: 2\r\n\r\nok",
            &["x-kept: 2\r\n", "\r\n\r\nok"],
            &["x-secret", "keep-alive", "proxy-auth"],
        ),
        (
            "a Date is added",
            "9110 6.6.1",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            &["\r\ndate: "],
            &[],
        ),
        (
            "a Date is kept",
            "9110 6.6.1",
            "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 2\r\n\r\nok",
            &["\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"],
            &[],
        ),
        (
            "an unknown status",
            "9110 15",
            "HTTP/1.1 299 Odd\r\ncontent-length: 2\r\n\r\nok",
            &["HTTP/1.1 299 "],
            &[],
        ),
        (
            "no reason phrase",
            "9112 4",
            "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok",
            &["HTTP/1.1 200 "],
            &[],
        ),
        (
            "several cookies",
            "9110 5.3",
            "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 2\r\n\r\nok",
            &["set-cookie: a=1\r\n", "set-cookie: b=2\r\n"],
            &[],
        ),
        (
            "an Upgrade offer is the hop's",
            "9110 7.8",
            "HTTP/1.1 200 OK\r\nupgrade: h2\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\nok",
            &["HTTP/1.1 200 "],
            &["upgrade"],
        ),
    ];
    for (name, section, said, has, has_not) in cases {
        let pair = Pair::start(&[said], &[]).await;
        let answer = pair.exchange(GET).await;
        for text in *has {
            assert!(
                answer.contains(text),
                "{name} ({section}): no {text:?} in {answer:?}"
            );
        }
        for text in *has_not {
            assert!(
                !answer.contains(text),
                "{name} ({section}): {text:?} in {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn trailers_reach_a_client_that_takes_them_without_what_must_not_be_there() {
    let said = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n2\r\nok\r\n0\r\ngrpc-status: 0\r\nconnection: x\r\ncontent-length: 9\r\n\r\n";
    let pair = Pair::start(&[said, said], &[]).await;
    let takes = GET.replace("connection: close", "connection: close, te\r\nte: trailers");
    let answer = pair.exchange(&takes).await;
    assert!(
        answer.ends_with("2\r\nok\r\n0\r\ngrpc-status: 0\r\n\r\n"),
        "{answer}"
    );
    let answer = pair.exchange(GET).await;
    assert_eq!(status(&answer), 200);
    assert!(answer.ends_with("0\r\n\r\n"), "nobody asked: {answer}");
}
