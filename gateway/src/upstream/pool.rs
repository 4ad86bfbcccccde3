//! Idle connections to one endpoint, newest first.
//!
//! Guarantees: at most `limit` are kept, none longer than `keepalive` and the time between two sweeps; a connection is handed out
//! once. Must not: open any, or ask what time it is for each request: the time of the last sweep is near enough.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::upload::RequestBody;

/// A connection that can take one request at a time.
pub(super) type Sender = SendRequest<RequestBody>;

struct Idle {
    sender: Sender,
    since: Instant,
}

/// The idle connections of one endpoint and thread.
pub(super) struct Pool {
    limit: usize,
    keepalive: Duration,
    idle: RefCell<VecDeque<Idle>>,
    swept: Cell<Instant>,
}

impl Pool {
    pub(super) fn new(limit: usize, keepalive: Duration) -> Self {
        Self {
            limit,
            keepalive,
            idle: RefCell::default(),
            swept: Cell::new(Instant::now()),
        }
    }

    /// The connection used last: the warmest, and the rest may grow old enough to be closed.
    pub(super) fn take(&self) -> Option<Sender> {
        loop {
            let Idle { sender, .. } = self.idle.borrow_mut().pop_back()?;
            if !sender.is_closed() {
                return Some(sender);
            }
        }
    }

    /// Keeps a connection whose exchange is complete, or closes it when there are enough.
    pub(super) fn put(&self, sender: Sender) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.limit && !sender.is_closed() {
            idle.push_back(Idle {
                sender,
                since: self.swept.get(),
            });
        }
    }

    /// Closes what is past its time or was closed by the endpoint.
    pub(super) fn sweep(&self) {
        let (now, keepalive) = (Instant::now(), self.keepalive);
        self.swept.set(now);
        self.idle
            .borrow_mut()
            .retain(|idle| !idle.sender.is_closed() && now - idle.since < keepalive);
    }
}
