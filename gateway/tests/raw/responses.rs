//! Answers of an upstream that break HTTP: 502, and the connection they came on is never used again.

use super::wire::{OK, Pair, status};

const GET: &str = "GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn an_answer_that_can_be_read_two_ways_is_not_passed_on() {
    let answers = [
        (
            "coding and length",
            "9112 6.1",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        ),
        (
            "differing lengths",
            "9112 6.3",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!",
        ),
        (
            "a length in words",
            "9112 6.3",
            "HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok",
        ),
        (
            "a signed length",
            "9112 6.3",
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
        ),
        (
            "a list of differing lengths",
            "9112 6.3",
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nok!",
        ),
        (
            "a coding that is not chunked",
            "9112 6.3",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok<close>",
        ),
        (
            "codings before chunked",
            "9112 6.1",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "two fields of coding",
            "9112 6.1",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a coding in HTTP/1.0",
            "9112 6.1",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a status that is no number",
            "9112 4",
            "HTTP/1.1 abc OK\r\n\r\n",
        ),
        ("a status of two digits", "9112 4", "HTTP/1.1 20 OK\r\n\r\n"),
        ("another protocol", "9112 4", "SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        ("HTTP/0.9", "9112 4", "<html>hello</html>\r\n\r\n<close>"),
        ("nothing", "9112 8", "<close>"),
        (
            "half a head",
            "9112 8",
            "HTTP/1.1 200 OK\r\ncontent-le<close>",
        ),
        (
            "a folded line",
            "9112 5.2",
            "HTTP/1.1 200 OK\r\nx: 1\r\n 2\r\ncontent-length: 2\r\n\r\nok",
        ),
        (
            "NUL in a value",
            "9110 5.5",
            "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\nok",
        ),
        (
            "a switch nobody asked for",
            "9110 15.2.2",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        ),
    ];
    for (name, section, said) in answers {
        let pair = Pair::start(&[said], &[]).await;
        let answer = pair.exchange(GET).await;
        assert_eq!(status(&answer), 502, "{name} ({section}): {answer}");
        assert!(
            answer.contains("application/problem+json"),
            "{name}: {answer}"
        );
        assert!(
            answer.contains("proxy-status: edge;error=http_"),
            "{name}: {answer}"
        );
        let next = pair.exchange(GET).await;
        assert_eq!(status(&next), 200, "{name} ({section}): the next: {next}");
        assert_eq!(
            pair.upstream.connections(),
            2,
            "{name} ({section}): used again"
        );
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    let pair = Pair::start(
        &[
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello<close>",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n<close>",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        ],
        &[],
    )
    .await;
    for _ in 0..3 {
        let answer = pair.exchange(GET).await;
        assert!(
            !answer.contains("0\r\n\r\n") || answer.contains("content-length: 10"),
            "{answer}"
        );
        assert!(!answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn what_has_no_body_has_none_whatever_it_says() {
    let head = GET.replace("GET", "HEAD");
    for (name, request, said, expected) in [
        (
            "204",
            GET,
            "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
            204,
        ),
        (
            "304",
            GET,
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
            304,
        ),
        (
            "304 in chunks",
            GET,
            "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
            304,
        ),
        (
            "HEAD",
            &head,
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            200,
        ),
        (
            "HEAD in chunks",
            &head,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            200,
        ),
    ] {
        let pair = Pair::start(&[said], &[]).await;
        let answer = pair.exchange(&format!("{request}{GET}")).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        let (first, second) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(status(second), 200, "{name}: {answer}");
        assert!(
            name != "204" || !first.contains("content-length"),
            "{name}: {answer}"
        );
        assert!(
            name != "HEAD" || first.contains("content-length: 5"),
            "{name}: {answer}"
        );
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_belong_to_nobody() {
    for extra in [
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    ] {
        let pair = Pair::start(&[extra], &[]).await;
        let first = pair.exchange(GET).await;
        assert!(!first.contains("poison"), "{first}");
        let second = pair.exchange(GET).await;
        assert!(second.ends_with("\r\n\r\nok"), "{second}");
    }
}

#[tokio::test]
async fn the_same_length_twice_is_one_length() {
    let pair = Pair::start(
        &["HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok"],
        &[],
    )
    .await;
    let answer = pair.exchange(GET).await;
    assert_eq!(answer.matches("content-length").count(), 1, "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_framed_for_the_client() {
    let pair = Pair::start(
        &[
            "HTTP/1.0 200 OK\r\n\r\nhello<close>",
            "HTTP/1.0 200 OK\r\n\r\nhello<close>",
        ],
        &[],
    )
    .await;
    let answer = pair.exchange(GET).await;
    assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
    assert!(answer.ends_with("5\r\nhello\r\n0\r\n\r\n"), "{answer}");
    let old = pair
        .exchange("GET /proxy/x HTTP/1.0\r\nhost: a\r\n\r\n")
        .await;
    assert!(
        old.starts_with("HTTP/1.0 200") && old.ends_with("\r\n\r\nhello"),
        "{old}"
    );
    assert!(!old.contains("chunked"), "{old}");
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let pair = Pair::start(&[&format!("{interim}{OK}")], &[]).await;
    let answer = pair.exchange(GET).await;
    assert!(
        answer.contains("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nok"),
        "{answer}"
    );
    assert!(
        !answer.contains("100 Continue"),
        "nobody asked for it: {answer}"
    );
}
