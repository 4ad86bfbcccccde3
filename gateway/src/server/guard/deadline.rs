//! How long a silent client is waited for.
//!
//! Guarantees: one timer for the life of a connection, moved only when it fires or comes too late, so that a busy connection
//! never touches the timer wheel. Must not: close anything.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::super::settings::Settings;

/// How long an idle connection may still say something once the process stops: long enough for a request that is on its way.
pub(in super::super) const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Waiting {
    /// The rest of a head.
    Head,
    /// The first byte of a request.
    Idle { draining: bool },
    /// Something that has a deadline elsewhere.
    Unbounded,
}

/// The limits.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Times {
    /// From the first byte of a head, or from the connection's begin, to the head's end.
    pub(in super::super) head: Duration,
    /// From an answer's end to the next request's first byte.
    pub(in super::super) idle: Duration,
    /// How long a client may take nothing of an answer.
    pub(in super::super) stall: Duration,
}

impl Times {
    pub(in super::super) const fn new(settings: &Settings) -> Self {
        Self {
            head: settings.header_timeout,
            idle: settings.keepalive_timeout,
            stall: settings.keepalive_timeout,
        }
    }
}

#[derive(Debug)]
pub(in super::super) struct Deadline {
    times: Times,
    first: bool,
    since: Option<Instant>,
    kind: Waiting,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub(in super::super) const fn new(times: Times) -> Self {
        Self {
            times,
            first: true,
            since: None,
            kind: Waiting::Unbounded,
            sleep: None,
        }
    }

    /// Bytes came. A head's time goes on unless it is only now that it begins.
    pub(in super::super) const fn restart(&mut self, fresh: bool) {
        if fresh {
            self.since = None;
        }
        self.first = false;
    }

    /// Ready when `waiting` has lasted too long.
    pub(in super::super) fn poll(&mut self, cx: &mut Context<'_>, waiting: Waiting) -> Poll<()> {
        let limit = match waiting {
            Waiting::Unbounded => {
                (self.since, self.kind) = (None, waiting);
                return Poll::Pending;
            }
            Waiting::Head => self.times.head,
            Waiting::Idle { draining: true } => DRAIN_GRACE,
            Waiting::Idle { .. } if self.first => self.times.head,
            Waiting::Idle { .. } => self.times.idle,
        };
        if self.kind != waiting {
            (self.since, self.kind) = (None, waiting);
        }
        let end = *self.since.get_or_insert_with(Instant::now) + limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if end < sleep.deadline() {
            sleep.as_mut().reset(end);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if end <= sleep.deadline() {
                self.since = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(end);
        }
    }
}
