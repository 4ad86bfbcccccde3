//! The request guard under fuzzing, against the parser it stands in front of.
//!
//! Must hold: bytes in two pieces are judged as the same bytes in one; what passes are whole heads and nothing behind a refusal; and
//! the parser reads the very requests that the guard let pass, each with the same target and the same body. Must not: do I/O.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::framing::{Framing, Outcome};
use super::head::{self, Body, Limits};
use super::shared::Shared;
use crate::policy::chunked::{Chunks, Step};

const LIMITS: Limits = Limits {
    head: 2_048,
    headers: 32,
    uri: 512,
};
/// Turns of the parser: more than bytes it could be waiting for.
const TURNS: usize = 10_000;

/// A request as it was read; no body when it broke off.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    target: String,
    body: Option<Vec<u8>>,
}

/// A client's bytes on a connection; the first byte says where they are cut in two.
pub fn guard(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let shared = Shared::default();
    let (passed, outcome) = Framing::new(LIMITS).feed(bytes, &shared);
    assert!(passed <= bytes.len());
    assert_eq!(outcome == Outcome::Passed, passed == bytes.len());
    let cut = usize::from(*cut) * bytes.len() / 255;
    in_pieces(bytes, cut, passed, outcome);
    let passed = &bytes[..passed];
    let guarded = messages(passed);
    let parsed = parsed(passed);
    assert!(parsed.len() <= guarded.len(), "{parsed:?}\n{guarded:?}");
    assert_eq!(parsed, guarded[..parsed.len()]);
    if !may_end_early(passed) {
        assert_eq!(parsed.len(), guarded.len(), "{guarded:?}");
    }
}

fn in_pieces(bytes: &[u8], cut: usize, passed: usize, outcome: Outcome) {
    let shared = Shared::default();
    let mut framing = Framing::new(LIMITS);
    let (first, early) = framing.feed(&bytes[..cut], &shared);
    if matches!(early, Outcome::Refused(_) | Outcome::Broken) {
        assert_eq!(first, passed);
        assert_eq!(
            matches!(early, Outcome::Broken),
            matches!(outcome, Outcome::Broken)
        );
        return;
    }
    let (second, late) = framing.feed(&bytes[first..], &shared);
    assert_eq!(first + second, passed);
    match (late, outcome) {
        // Which of two faults is named may depend on which was there first.
        (Outcome::Refused(_), Outcome::Refused(_)) => {}
        _ => assert_eq!(late, outcome),
    }
}

/// The messages in what the guard let pass, read by its own rules and decoded here.
fn messages(passed: &[u8]) -> Vec<Read> {
    let mut read = Vec::new();
    let mut rest = passed;
    while !rest.is_empty() {
        let head = head::read(rest, 0, &LIMITS);
        let Ok(Some(head)) = head else {
            assert!(head.is_err() && head.is_ok(), "{head:?} passed");
            break;
        };
        let (text, behind) = rest.split_at(head.length);
        let (body, after) = match head.body {
            Body::None => (Some(Vec::new()), behind),
            Body::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= behind.len() => {
                    (Some(behind[..length].to_vec()), &behind[length..])
                }
                _ => (None, &[][..]),
            },
            Body::Chunked => match Chunks::default().follow(behind) {
                Step::End(length) => (Some(decoded(&behind[..length])), &behind[length..]),
                Step::More => (None, &[][..]),
                Step::Broken(length) => {
                    assert_eq!(length, behind.len(), "bytes behind a broken body passed");
                    (None, &[][..])
                }
            },
        };
        read.push(Read {
            target: target(text),
            body,
        });
        rest = after;
    }
    read
}

/// The target of a head, as a URI is written.
fn target(head: &[u8]) -> String {
    let target = head.split(|byte| *byte == b' ').nth(1);
    let uri = http::Uri::try_from(target.unwrap_or_default());
    uri.map_or_else(|_| String::new(), |uri| uri.to_string())
}

/// The data of a whole chunked body.
fn decoded(body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut rest = body;
    loop {
        let digits = rest
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let size = std::str::from_utf8(&rest[..digits]).unwrap_or_default();
        let size = usize::from_str_radix(size, 16).unwrap_or_default();
        let line = memchr::memchr(b'\n', rest).unwrap_or_default() + 1;
        if size == 0 {
            return data;
        }
        data.extend_from_slice(&rest[line..line + size]);
        rest = &rest[line + size + 2..];
    }
}

/// Whether the parser may stop behind a request although more follow.
fn may_end_early(passed: &[u8]) -> bool {
    let text = passed.to_ascii_lowercase();
    ["connection", "http/1.0", "connect", "upgrade"]
        .iter()
        .any(|word| memchr::memmem::find(&text, word.as_bytes()).is_some())
}

/// What the parser reads.
fn parsed(bytes: &[u8]) -> Vec<Read> {
    let read = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let read = &read;
        async move {
            let (head, body) = request.into_parts();
            let place = read.borrow().len();
            read.borrow_mut().push(Read {
                target: head.uri.to_string(),
                body: None,
            });
            if let Ok(body) = body.collect().await {
                read.borrow_mut()[place].body = Some(body.to_bytes().to_vec());
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let wire = TokioIo::new(tokio::io::join(bytes, tokio::io::sink()));
    {
        let mut builder = http1::Builder::new();
        let connection = builder.half_close(true).serve_connection(wire, service);
        let mut connection = pin!(connection);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..TURNS {
            if let Poll::Ready(_ended) = connection.as_mut().poll(&mut context) {
                break;
            }
        }
    }
    read.into_inner()
}
