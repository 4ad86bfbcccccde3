//! What stands between a client's bytes and the HTTP/2 parser: patience, and a budget for frames that carry nothing on.
//!
//! Guarantees: a header block comes in its time or not at all; pings, settings, priorities, resets, window updates and empty frames
//! that no answer called for end the connection after a burst; a connection without a request in flight ends in its time,
//! whatever else it says; who floods is told so. Must not: change a byte of the parser's.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::guard::{Deadline, Stall, Times, Waiting};
use super::frames::{Frames, Seen};
use super::shared::{Shared, Verdict};

/// Frames that carry nothing on and may come at once.
const BURST: u64 = 2_000;
/// How many of them a second pays for. A client that pings, or gives windows for a trickle of events, stays far below.
const RATE: u32 = 100;
/// Bytes we sent that pay for one: they are what windows are given for. An echoed ping (17 bytes) does not pay for itself.
const BYTES: u64 = 64;

/// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, sections 6.8 and 10.5); which streams were looked at is left open.
const CALM: [u8; 17] = [
    0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 11,
];

/// A client's byte stream under guard.
#[derive(Debug)]
pub(super) struct Guard<T> {
    inner: T,
    shared: Rc<Shared>,
    /// Bytes that were read before it was known what they are.
    first: Vec<u8>,
    frames: Frames,
    budget: Budget,
    deadline: Deadline,
    stall: Stall,
    stopped: bool,
}

impl<T> Guard<T> {
    /// Guards `inner`. `first` has been read from it already.
    pub(super) fn new(inner: T, shared: Rc<Shared>, times: Times, first: Vec<u8>) -> Self {
        Self {
            inner,
            shared,
            first,
            frames: Frames::new(),
            budget: Budget::new(),
            deadline: Deadline::new(times),
            stall: Stall::new(times.stall),
            stopped: false,
        }
    }

    /// Looks at fresh bytes. Whether they may pass.
    fn check(&mut self, fresh: &[u8]) -> bool {
        let Seen { blocks, idle } = self.frames.follow(fresh);
        if blocks > 0 || self.shared.is_draining() {
            self.deadline.restart(true);
        }
        let passes = self.budget.pay(u64::from(idle));
        if !passes {
            self.stop(Verdict::Flood);
        }
        passes
    }

    fn stop(&mut self, verdict: Verdict) {
        self.stopped = true;
        self.shared.pass(verdict);
    }

    fn waiting(&self) -> Waiting {
        if self.frames.is_within_head() {
            Waiting::Head
        } else if self.shared.is_busy() || self.shared.is_blocked() {
            Waiting::Unbounded
        } else {
            Waiting::Idle {
                draining: self.shared.is_draining(),
            }
        }
    }

    /// The client was too slow.
    fn expired(&mut self) {
        if self.frames.is_within_head() {
            self.stop(Verdict::Slow);
        } else {
            self.shared.pass(Verdict::Idle);
        }
    }

    fn wrote(&mut self, outcome: &Poll<io::Result<usize>>) {
        self.shared.block(outcome.is_pending());
        if let Poll::Ready(Ok(count)) = outcome {
            self.budget.sent += *count as u64;
            if self.shared.is_draining() {
                self.deadline.restart(true);
            }
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
        if this.stopped {
            return Poll::Pending;
        }
        if !this.first.is_empty() {
            let first = std::mem::take(&mut this.first);
            let (now, later) = first.split_at(first.len().min(buf.remaining()));
            this.first = later.to_vec();
            buf.put_slice(now);
            this.check(now);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut this.inner).poll_read(cx, buf) {
                let fresh = buf.filled().get(before..).unwrap_or_default();
                if this.check(fresh) {
                    return Poll::Ready(outcome);
                }
                buf.set_filled(before);
                return Poll::Pending;
            }
            ready!(this.deadline.poll(cx, this.waiting()));
            this.expired();
            if this.stopped {
                return Poll::Pending;
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
        let outcome = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.wrote(&outcome);
        this.stall.judge(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write_vectored(cx, pieces);
        this.wrote(&outcome);
        this.stall.judge(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut outcome = Pin::new(&mut this.inner).poll_flush(cx);
        // The parser flushes between two frames. The parser itself cannot be made to give a reason.
        if outcome.is_ready() && this.shared.take_calm() {
            // Whoever does not read does not hear it.
            let _ = Pin::new(&mut this.inner).poll_write(cx, &CALM);
            outcome = Pin::new(&mut this.inner).poll_flush(cx);
        }
        // TLS takes what the wire does not: then it is here that it stops.
        this.shared.block(outcome.is_pending());
        this.stall.judge(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

/// What a client may still send that carries nothing on. Looks at the clock only when it seems to be spent.
#[derive(Debug)]
struct Budget {
    left: u64,
    since: Instant,
    sent: u64,
}

impl Budget {
    fn new() -> Self {
        Self {
            left: BURST,
            since: Instant::now(),
            sent: 0,
        }
    }

    /// Whether `count` frames are paid for.
    fn pay(&mut self, count: u64) -> bool {
        if self.left < count {
            let elapsed = self.since.elapsed().min(Duration::from_secs(3_600));
            let earned = (elapsed * RATE).as_secs() + self.sent / BYTES;
            if earned > 0 {
                self.left = (self.left + earned).min(BURST);
                self.since = Instant::now();
                self.sent = 0;
            }
        }
        let left = self.left.checked_sub(count);
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_paid_back_by_time_and_by_what_was_sent() {
        let mut budget = Budget::new();
        assert!(budget.pay(BURST));
        assert!(!budget.pay(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(budget.pay(100));
        assert!(!budget.pay(1));
        budget.sent = 10 * BYTES;
        assert!(budget.pay(10));
        assert!(!budget.pay(1));
    }
}
