//! An answer's body on its stream, and an end to the patience with a client that leaves it there.
//!
//! Guarantees: a stream is given up when for the whole time not a piece of it could be sent although the connection takes what it is
//! given: what stops it then is a window that the client keeps shut (RFC 9113, section 5.2). A stream that waits for its upstream is
//! not timed, nor one of a connection that is slow itself, which has a deadline of its own. Must not: look at what is sent.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::super::guard::Stall;
use super::shared::{Asked, Shared};
use crate::proxy::Body;

/// What the parser is given at a time, and the most that a client can leave lying once its answer is complete: the parser takes a
/// piece whole as soon as there is room for a byte of it.
const PIECE: usize = 16 * 1024;

/// What became of an answer's body in this turn of its task.
#[derive(Debug, Default)]
enum Turn {
    /// It was not asked: the parser waits for room.
    #[default]
    Unasked,
    /// There is nothing to send yet.
    Waits,
    /// A piece was given, to be sent on this connection.
    Gave(Rc<Shared>),
}

thread_local! {
    /// From a body to the task that it was polled in: the parser between them passes nothing on.
    static TURN: RefCell<Turn> = const { RefCell::new(Turn::Unasked) };
}

/// An answer's body, which keeps its connection busy until it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    /// What is there and was not given yet.
    rest: Bytes,
    asked: Option<Asked>,
}

impl Answer {
    /// The body of the answer to `asked`; nobody's where the stream became something else.
    pub(super) const fn new(body: Body, asked: Option<Asked>) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            asked,
        }
    }

    fn give(&mut self) -> Bytes {
        if let Some(asked) = &self.asked {
            TURN.set(Turn::Gave(asked.connection()));
        }
        let count = self.rest.len().min(PIECE);
        self.rest.split_to(count)
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            TURN.set(Turn::Waits);
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => this.rest = bytes,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return Poll::Ready(other),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(this.give()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// The task of a stream, which ends unfinished when its client has kept its window shut for all of `limit`: the stream is reset.
pub(super) async fn patiently<F: Future>(task: F, limit: Duration) {
    let mut task = pin!(task);
    let mut stall = Stall::new(limit);
    // Where what was given is to be sent; none while there is nothing to send.
    let mut connection: Option<Rc<Shared>> = None;
    let sent = poll_fn(|cx| {
        TURN.set(Turn::Unasked);
        if task.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match TURN.take() {
            Turn::Unasked => {}
            Turn::Waits => connection = None,
            Turn::Gave(on) => {
                connection = Some(on);
                stall.restart();
            }
        }
        while let Some(connection) = &connection {
            let waited = stall.judge(cx, Poll::<io::Result<()>>::Pending);
            // An error, once it is ready: the time is over.
            let _ = ready!(waited);
            if !connection.is_blocked() {
                return Poll::Ready(());
            }
            stall.restart();
        }
        Poll::Pending
    });
    sent.await;
}
