//! What stands between a client's bytes and the HTTP/1.1 parser: every head passes here first, whole and unambiguous, or not at
//! all (`docs/decisions/0004-request-guard.md`).
//!
//! Guarantees: the parser behind sees only complete heads that the rules of [`head`] accept, and bodies that end where the guard
//! says they end; a head that breaks a rule is exchanged for a stand-in, so that its refusal is answered in turn, behind the
//! answers to the requests before it. Whole heads are looked at where they lie; only a head that arrives in pieces is copied.
//! Must not: answer, or change a byte of what it lets through.

mod deadline;
mod framing;
mod head;
mod outgoing;
mod shared;
mod stall;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) use deadline::{DRAIN_GRACE, Deadline, Times, Waiting};
use framing::{Framing, Outcome};
pub(super) use head::Limits;
use outgoing::Outgoing;
pub(super) use shared::{Busy, Shared};
pub(super) use stall::Stall;

use crate::proxy::{Fault, Interim};

/// What the parser is given in place of a head that was refused; the count of heads tells which request it is.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\n\r\n";
/// The same for `HEAD`, whose answer has no body.
const STAND_IN_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nhost: refused\r\n\r\n";

/// A client's byte stream under guard.
#[derive(Debug)]
pub(super) struct Guard<T> {
    inner: T,
    shared: Rc<Shared>,
    framing: Framing,
    /// An incomplete head.
    carry: Vec<u8>,
    /// Bytes checked and not yet handed over: `carry` once it is complete, or a stand-in.
    ready: Vec<u8>,
    handed: usize,
    end: End,
    deadline: Deadline,
    outgoing: Outgoing,
    stall: Stall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// A stand-in was the last thing to pass.
    Refused,
    /// The body broke off, or nothing more comes.
    Eof,
    /// Nothing comes for now: the parser may go, and the stream be kept without it.
    Quiet,
}

/// What a stream is good for once the parser is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Whatever comes next, be it another request: the client was only quiet.
    Quiet,
    /// What follows the last answer.
    Clean,
    /// Nothing: the client sent more than it was asked for, or less.
    Spoilt,
}

impl<T> Guard<T> {
    /// Guards `inner`. `first` has been read from it already.
    pub(super) fn new(
        inner: T,
        shared: Rc<Shared>,
        limits: Limits,
        times: Times,
        first: Vec<u8>,
        interim: Arc<Interim>,
    ) -> Self {
        let mut guard = Self {
            inner,
            outgoing: Outgoing::new(Rc::clone(&shared), interim),
            shared,
            framing: Framing::new(limits),
            carry: first,
            ready: Vec::new(),
            handed: 0,
            end: End::Open,
            deadline: Deadline::new(times),
            stall: Stall::new(times.stall),
        };
        if !guard.carry.is_empty() {
            guard.deadline.restart(true);
            guard.check_carry();
        }
        guard
    }

    /// The stream itself, and what it is good for.
    pub(super) fn into_inner(self) -> (T, Left) {
        let is_read = self.carry.is_empty() && self.handed == self.ready.len();
        let left = match self.end {
            End::Quiet => Left::Quiet,
            End::Open if is_read => Left::Clean,
            _ => Left::Spoilt,
        };
        (self.inner, left)
    }

    /// Looks at `carry` again, which has grown.
    fn check_carry(&mut self) {
        let (passed, outcome) = self.framing.feed(&self.carry, &self.shared);
        if passed == self.carry.len() && self.ready.is_empty() {
            self.ready = std::mem::take(&mut self.carry);
        } else {
            self.ready.extend(self.carry.drain(..passed));
        }
        self.settle(&outcome, None);
    }

    /// Looks at what was just read into `buf`, where it lies.
    fn check(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        if self.shared.is_tunnel() {
            return;
        }
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if !self.carry.is_empty() {
            self.carry.extend_from_slice(fresh);
            buf.set_filled(before);
            self.check_carry();
            return;
        }
        let (passed, outcome) = self.framing.feed(fresh, &self.shared);
        let rest = fresh.get(passed..).unwrap_or_default();
        self.settle(&outcome, Some(rest));
        buf.set_filled(before + passed);
    }

    /// Acts on an outcome; `rest` is what did not pass and is not in `carry` yet.
    fn settle(&mut self, outcome: &Outcome, rest: Option<&[u8]>) {
        match outcome {
            Outcome::Passed => {}
            Outcome::Incomplete => self.carry.extend_from_slice(rest.unwrap_or_default()),
            Outcome::Refused(fault) => {
                let is_head = rest.unwrap_or(&self.carry).starts_with(b"HEAD ");
                self.refuse(*fault, is_head);
            }
            Outcome::Broken => self.end = End::Eof,
        }
    }

    fn refuse(&mut self, fault: Fault, is_head: bool) {
        self.shared.refuse(fault);
        let stand_in = if is_head { STAND_IN_HEAD } else { STAND_IN };
        self.ready.extend_from_slice(stand_in);
        self.carry = Vec::new();
        self.end = End::Refused;
    }

    /// Gives the parser what is ready. Whether there was anything.
    fn hand_over(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let waiting = self.ready.get(self.handed..).unwrap_or_default();
        if waiting.is_empty() {
            return false;
        }
        let count = waiting.len().min(buf.remaining());
        buf.put_slice(waiting.get(..count).unwrap_or_default());
        self.handed += count;
        if self.handed == self.ready.len() {
            // Heads that come in pieces are rare: an idle connection keeps no buffer for them.
            self.ready = Vec::new();
            self.handed = 0;
        }
        true
    }

    fn waiting(&self) -> Waiting {
        if self.shared.is_tunnel() {
            Waiting::Unbounded
        } else if !self.carry.is_empty() {
            Waiting::Head
        } else if self.framing.between_messages() && !self.shared.is_busy() {
            Waiting::Idle {
                draining: self.shared.is_draining(),
            }
        } else {
            Waiting::Unbounded
        }
    }

    /// The client was too slow, or has been silent for a while.
    fn expired(&mut self) {
        if self.carry.is_empty() {
            // As long as it has not taken all of its last answer, it is the writing side that waits for it.
            if self.shared.is_clear() {
                self.end = match self.shared.is_draining() {
                    true => End::Eof,
                    false => End::Quiet,
                };
            }
        } else {
            let is_head = self.carry.starts_with(b"HEAD ");
            self.refuse(Fault::SlowHead, is_head);
        }
    }

    /// The client will send no more.
    fn ended(&mut self) {
        if self.carry.is_empty() {
            self.end = End::Eof;
        } else {
            let is_head = self.carry.starts_with(b"HEAD ");
            self.refuse(
                Fault::Malformed("The request ended within its head."),
                is_head,
            );
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guard<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            if this.hand_over(buf) {
                return Poll::Ready(Ok(()));
            }
            match this.end {
                End::Open => {}
                // Nothing follows a refusal; its answer ends the connection.
                End::Refused => return Poll::Pending,
                End::Eof | End::Quiet => return Poll::Ready(Ok(())),
            }
            match Pin::new(&mut this.inner).poll_read(cx, buf) {
                Poll::Ready(Ok(())) if buf.filled().len() == before => this.ended(),
                Poll::Ready(Ok(())) => {
                    this.deadline.restart(this.carry.is_empty());
                    this.check(buf, before);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(this.deadline.poll(cx, this.waiting()));
                    this.expired();
                }
            }
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guard<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = this.outgoing.poll_write(&mut this.inner, cx, bytes);
        this.stall.judge(cx, outcome)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = this.outgoing.poll_flush(&mut this.inner, cx);
        this.stall.judge(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
