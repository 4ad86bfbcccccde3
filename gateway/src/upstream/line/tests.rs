//! An exchange on a connection, from both ends.

use std::collections::VecDeque;

use http::header::{CONTENT_LENGTH, HOST, TRAILER, TRANSFER_ENCODING};
use http::{HeaderValue, Uri};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::fuzzing::{Read, read};
use super::*;

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
const FINAL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What is read of `text`, the same however it is cut in two.
fn read_in_pieces(text: &str) -> Read {
    let whole = read(&[text.as_bytes()]).unwrap();
    for cut in 1..text.len() {
        let (first, second) = text.as_bytes().split_at(cut);
        let cut_in_two = read(&[first, second]).unwrap();
        assert_eq!(cut_in_two, whole, "{cut}");
    }
    whole
}

#[test]
fn what_comes_before_the_answer_is_told_however_it_is_cut() {
    let text = format!("{HINT}HTTP/1.1 100 Continue\r\n\r\n{HINT}{FINAL}");
    let answer = read_in_pieces(&text);
    assert_eq!(answer.interim, [(103, 1), (100, 0), (103, 1)]);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
    assert!(answer.is_free);
}

#[test]
fn what_switches_is_an_answer_and_what_is_broken_or_endless_is_none() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: a\r\n\r\n";
    let answer = read(&[switch.as_bytes(), HINT.as_bytes()]).unwrap();
    assert_eq!((answer.status, answer.interim.len()), (101, 0));
    assert!(!answer.is_free);
    let endless = format!(
        "HTTP/1.1 103 Early Hints\r\nlink: {}",
        "x".repeat(head::MAX_HEAD)
    );
    for other in ["HTTP/1.1 1x3 No\r\n\r\n", &endless] {
        let text = format!("{other}{FINAL}");
        assert!(read(&[text.as_bytes()]).is_err());
    }
}

#[test]
fn chunks_are_joined_and_what_follows_them_are_trailers() {
    let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
        5;a=b\r\nhello\r\nA\r\n, and hello\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n";
    let text = text.replace("A\r\n, and hello", "b\r\n, and hello");
    let answer = read_in_pieces(&text);
    assert_eq!(answer.body, b"hello, and hello");
    let trailers = answer.trailers.unwrap();
    let sums: Vec<_> = trailers.get_all("x-sum").iter().collect();
    assert_eq!(sums, ["1", "2"]);
    assert!(answer.is_free);
}

#[test]
fn a_body_that_ends_early_is_an_error() {
    for text in [
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
    ] {
        let broken = read(&[text.as_bytes()]);
        assert!(
            matches!(broken, Err(LineError::CutOff)),
            "{text}: {broken:?}"
        );
    }
    let nothing = read(&[]);
    assert!(matches!(nothing, Err(LineError::Ended)), "{nothing:?}");
}

#[test]
fn only_a_connection_at_the_end_of_an_exchange_is_free() {
    let keeps = |text: &str| read(&[text.as_bytes()]).unwrap().is_free;
    assert!(keeps(FINAL));
    assert!(!keeps(&format!("{FINAL}more")));
    assert!(!keeps("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
    assert!(!keeps("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"));
}

/// A connected pair.
async fn pair() -> (Line, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap());
    let (stream, accepted) = tokio::join!(stream, listener.accept());
    let line = Line::new(Socket::Plain(stream.unwrap()), Instant::now());
    (line, accepted.unwrap().0)
}

/// What is written of a request with these fields and this body.
async fn written(fields: &[(http::HeaderName, &'static str)], pieces: &[&'static [u8]]) -> String {
    let (mut line, mut peer) = pair().await;
    let bytes: VecDeque<_> = pieces.iter().map(|one| Bytes::from_static(one)).collect();
    let body = match bytes.is_empty() {
        true => RequestBody::Empty,
        false => RequestBody::whole(bytes),
    };
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/a?b");
    for (name, value) in fields {
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(name.clone(), value);
    }
    line.outgoing.begin(request);
    let reading = async {
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        String::from_utf8(read).unwrap()
    };
    let writing = async {
        poll_fn(|cx| line.poll_send(cx)).await.unwrap();
        assert!(line.outgoing.is_sent());
        drop(line);
    };
    tokio::join!(reading, writing).0
}

#[tokio::test]
async fn a_request_is_written_as_its_fields_say() {
    let host = (HOST, "a");
    let empty = written(&[host.clone(), (TRANSFER_ENCODING, "chunked")], &[]).await;
    assert_eq!(empty, "POST /a?b HTTP/1.1\r\nhost: a\r\n\r\n");
    let pieces: &[&[u8]] = &[b"hello", b", and hello"];
    let declared = written(&[host.clone(), (CONTENT_LENGTH, "16")], pieces).await;
    let head = "POST /a?b HTTP/1.1\r\nhost: a\r\n";
    let body = "\r\nhello, and hello";
    assert_eq!(declared, format!("{head}content-length: 16\r\n{body}"));
    let told = written(std::slice::from_ref(&host), pieces).await;
    assert_eq!(told, format!("{head}content-length: 16\r\n{body}"));
    let chunked = written(&[host, (TRANSFER_ENCODING, "chunked")], pieces).await;
    let chunks = "\r\n5\r\nhello\r\nb\r\n, and hello\r\n0\r\n\r\n";
    assert_eq!(
        chunked,
        format!("{head}transfer-encoding: chunked\r\n{chunks}")
    );
}

#[tokio::test]
async fn a_large_piece_is_written_whole_between_its_chunk_s_lines() {
    static LARGE: [u8; 3_000_000] = [b'x'; 3_000_000];
    let pieces: &[&[u8]] = &[b"hello", &LARGE, b"bye"];
    let fields = [(TRANSFER_ENCODING, "chunked"), (TRAILER, "x-sum")];
    let text = written(&fields, pieces).await;
    let body = text.split_once("\r\n\r\n").unwrap().1;
    let expected = format!(
        "5\r\nhello\r\n2dc6c0\r\n{}\r\n3\r\nbye\r\n0\r\n\r\n",
        "x".repeat(LARGE.len())
    );
    assert!(body == expected, "{} bytes", body.len());
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_it_says_is_not_sent_as_if_it_were() {
    for declared in ["4", "6"] {
        let (mut line, _peer) = pair().await;
        let mut request = Request::new(RequestBody::whole([Bytes::from_static(b"hello")].into()));
        let length = HeaderValue::from_static(declared);
        request.headers_mut().insert(CONTENT_LENGTH, length);
        line.outgoing.begin(request);
        let sent = poll_fn(|cx| line.poll_send(cx)).await;
        assert!(matches!(sent, Err(LineError::Length)), "{sent:?}");
    }
}

#[tokio::test]
async fn a_connection_that_has_ended_is_not_used() {
    let (mut line, peer) = pair().await;
    line.look();
    assert!(line.is_free());
    drop(peer);
    poll_fn(|cx| {
        if reader::is_silent(&mut line.socket, cx) {
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
    line.look();
    assert!(!line.is_free());
    let request = Box::new(Request::new(RequestBody::Empty));
    let until = Instant::now() + std::time::Duration::from_secs(5);
    let failed = line.exchange(request, until, None).await;
    assert!(matches!(failed, Err(Failed::Unsent(_))));
}
