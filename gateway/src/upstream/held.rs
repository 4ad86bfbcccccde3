//! A connection in the middle of an answer.
//!
//! Guarantees: an answer that nobody reads yet does not hold up a request that is still being written, and the other way round; what breaks
//! the one ends the other. Must not: decide what becomes of the connection.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::line::{Line, LineError};

/// See above.
#[derive(Debug)]
pub(super) enum Held {
    /// All of the request is written.
    Alone(Box<Line>),
    /// A task of its own still writes it.
    Shared(Rc<Shared>),
}

/// A connection that is written to by one and read by another.
#[derive(Debug)]
pub(super) struct Shared {
    line: RefCell<Box<Line>>,
    /// Why the request will never be whole.
    failed: RefCell<Option<LineError>>,
    reader: RefCell<Option<Waker>>,
}

/// Writes the rest of a request.
async fn send(shared: Rc<Shared>) {
    let sent = poll_fn(|cx| shared.line.borrow_mut().poll_send(cx)).await;
    shared.failed.replace(sent.err());
    if let Some(reader) = shared.reader.take() {
        reader.wake();
    }
}

impl Held {
    #[inline]
    pub(super) fn new(line: Box<Line>) -> Self {
        if line.is_sent() {
            return Self::Alone(line);
        }
        let shared = Rc::new(Shared {
            line: RefCell::new(line),
            failed: RefCell::default(),
            reader: RefCell::default(),
        });
        tokio::task::spawn_local(send(Rc::clone(&shared)));
        Self::Shared(shared)
    }

    /// The rest of the answer's body, if its length is known and all of it is here.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        match self {
            Self::Alone(line) => line.rest(),
            Self::Shared(shared) => shared.line.borrow_mut().rest(),
        }
    }

    /// Whether nothing is left of the answer.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Alone(line) => line.is_whole(),
            Self::Shared(shared) => shared.line.borrow().is_whole(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Alone(line) => line.size_hint(),
            Self::Shared(shared) => shared.line.borrow().size_hint(),
        }
    }

    /// The next piece of the answer's body, or its trailers; none at its end.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, LineError>>> {
        let shared = match self {
            Self::Alone(line) => return line.poll_frame(cx),
            Self::Shared(shared) => shared,
        };
        if let Some(failed) = shared.failed.take() {
            return Poll::Ready(Some(Err(failed)));
        }
        let polled = shared.line.borrow_mut().poll_frame(cx);
        if polled.is_pending() {
            shared.reader.replace(Some(cx.waker().clone()));
        }
        polled
    }

    /// The connection, if nobody writes to it any more.
    pub(super) fn into_line(self) -> Option<Box<Line>> {
        match self {
            Self::Alone(line) => Some(line),
            Self::Shared(shared) => Some(Rc::into_inner(shared)?.line.into_inner()),
        }
    }
}
