//! An upstream's answer under fuzzing, against the parser of a well-known library.
//!
//! Must hold: an answer in two pieces is read as the same answer in one; an answer that is read whole is read by the library too, with the
//! same status, fields and body; a connection is free only if nothing came behind its answer. Must not: do I/O.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body as _;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::{Line, LineError};
use crate::upstream::hints::{Hints, Listener};
use crate::upstream::socket::Socket;
use crate::upstream::upload::RequestBody;

/// Turns of the library's parser: more than bytes it could be waiting for.
const TURNS: usize = 10_000;

/// What an upstream says once it is asked, in pieces, and then no more.
#[derive(Debug)]
pub(in crate::upstream) struct Said {
    pieces: Vec<Bytes>,
    is_asked: bool,
}

impl Said {
    fn new(pieces: &[&[u8]]) -> Self {
        let pieces = pieces.iter().rev().filter(|piece| !piece.is_empty());
        let pieces = pieces.map(|piece| Bytes::copy_from_slice(piece)).collect();
        Self {
            pieces,
            is_asked: false,
        }
    }
}

impl AsyncRead for Said {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_asked {
            return Poll::Pending;
        }
        if let Some(piece) = self.pieces.last_mut() {
            let count = piece.len().min(buffer.remaining());
            buffer.put_slice(&piece.split_to(count));
            if !piece.has_remaining() {
                self.pieces.pop();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Said {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_asked = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An answer as it was read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) interim: Vec<(u16, usize)>,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) is_free: bool,
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<(u16, usize)>>);

impl Hints for Heard {
    fn hear(&self, _: u64, status: StatusCode, headers: HeaderMap) {
        if let Ok(mut heard) = self.0.lock() {
            heard.push((status.as_u16(), headers.len()));
        }
    }
}

/// Reads the answer to a GET, if it is one and whole.
pub(super) fn read(pieces: &[&[u8]]) -> Result<Read, LineError> {
    let heard = Arc::<Heard>::default();
    let listener = Listener {
        hints: Arc::clone(&heard) as Arc<dyn Hints>,
        request: 0,
    };
    let mut line = Line::new(Socket::Said(Said::new(pieces)), Instant::now());
    let cx = &mut Context::from_waker(Waker::noop());
    let (method, mut headers) = line.outgoing.begin(Request::new(RequestBody::Empty));
    assert_eq!(method, Method::GET);
    let Poll::Ready(head) = line.poll_head(cx, Some(&listener), &mut headers) else {
        return Err(LineError::Ended);
    };
    let response = line.begin(head?, &method)?;
    let mut read = Read {
        interim: heard.0.lock().map(|all| all.clone()).unwrap_or_default(),
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        ..Read::default()
    };
    while let Poll::Ready(Some(frame)) = line.poll_frame(cx) {
        match frame?.into_data() {
            Ok(data) => read.body.extend_from_slice(&data),
            Err(other) => read.trailers = other.into_trailers().ok(),
        }
    }
    read.is_free = line.is_free();
    Ok(read)
}

/// The same by the library: status, fields, body.
fn parsed(bytes: &[u8]) -> Option<(u16, HeaderMap, Vec<u8>)> {
    let cx = &mut Context::from_waker(Waker::noop());
    let mut handshake = pin!(http1::handshake(TokioIo::new(Said::new(&[bytes]))));
    let Poll::Ready(Ok((mut sender, connection))) = handshake.as_mut().poll(cx) else {
        return None;
    };
    // A switch hands the connection over: nobody takes it.
    let mut connection = pin!(connection.with_upgrades());
    let read = Rc::new(RefCell::new(None));
    let mut answer = pin!(async {
        let mut response = sender
            .send_request(Request::new(Empty::<Bytes>::new()))
            .await
            .ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|cx| Pin::new(response.body_mut()).poll_frame(cx)).await
        {
            if let Ok(data) = frame.ok()?.into_data() {
                body.extend_from_slice(&data);
            }
        }
        *read.borrow_mut() = Some((status, headers, body));
        Some(())
    });
    for _ in 0..TURNS {
        if answer.as_mut().poll(cx).is_ready() {
            break;
        }
        let _ = connection.as_mut().poll(cx);
    }
    read.take()
}

/// An upstream's bytes on a connection; the first byte says where they are cut in two.
pub fn upstream_answer(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let (first, second) = bytes.split_at(usize::from(*cut) * bytes.len() / 255);
    let whole = read(&[bytes]);
    let cut = read(&[first, second]);
    match (&whole, &cut) {
        (Ok(whole), Ok(cut)) => {
            // What comes later than an answer is not seen with it.
            assert!(cut.is_free || !whole.is_free);
            let same = Read {
                is_free: whole.is_free,
                ..read(&[first, second]).unwrap_or_default()
            };
            assert_eq!(*whole, same);
        }
        _ => assert!(whole.is_err() && cut.is_err(), "{whole:?} {cut:?}"),
    }
    // A head that is refused for its size, or for what nobody should send, may be one to the library.
    let Ok(whole) = whole else { return };
    if whole.status != 101 {
        let parsed = parsed(bytes);
        let ours = Some((whole.status, whole.headers, whole.body));
        assert_eq!(parsed, ours, "{}", bytes.escape_ascii());
    }
}
