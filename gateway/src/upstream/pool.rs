//! The connections to one endpoint: HTTP/1.1 ones that are idle, newest first, and HTTP/2 ones that have room.
//!
//! Guarantees: at most `idle` are kept, none longer than `keepalive` and the time between two sweeps; no request goes on one
//! past its lifetime or its number of requests; an HTTP/1.1 connection is handed out once. Must not: open any, or ask what time
//! it is for each request: the time of the last sweep is near enough.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::line::Line;
use super::multiplexed::{Stream, Trunk};
use super::settings::Settings;

/// So many HTTP/2 connections are opened before requests wait for a stream.
const MOST_TRUNKS: usize = 8;

/// From then on an upstream may be about to close a connection for being idle; the shortest time-outs in use are some seconds.
const REST: Duration = Duration::from_secs(1);

/// How many connections are kept, and for how long.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    idle: usize,
    keepalive: Duration,
    lifetime: Duration,
    requests: u32,
}

struct Idle {
    line: Box<Line>,
    since: Instant,
}

/// The connections of one endpoint and thread.
pub(super) struct Pool {
    bounds: Bounds,
    idle: RefCell<VecDeque<Idle>>,
    trunks: RefCell<Vec<Rc<Trunk>>>,
    swept: Cell<Instant>,
}

impl Pool {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            bounds: Bounds {
                idle: settings.idle_connections,
                keepalive: settings.keepalive,
                lifetime: settings.max_connection_lifetime,
                requests: match settings.max_connection_requests {
                    0 => u32::MAX,
                    most => most,
                },
            },
            idle: RefCell::default(),
            trunks: RefCell::default(),
            swept: Cell::new(Instant::now()),
        }
    }

    /// When a connection counts as born that opens now: up to a tenth of a lifetime ago, so that what was opened together does
    /// not end together.
    pub(super) fn birth(&self) -> Instant {
        let now = Instant::now();
        let spread = self.bounds.lifetime / 10;
        now.checked_sub(spread.mul_f64(fastrand::f64()))
            .unwrap_or(now)
    }

    /// The connection used last: the warmest, and the rest may grow old enough to be closed.
    pub(super) fn line(&self) -> Option<Box<Line>> {
        let Idle { mut line, since } = self.idle.borrow_mut().pop_back()?;
        line.has_rested = self.swept.get() - since >= REST;
        Some(line)
    }

    /// A stream on the first HTTP/2 connection with room, so that the last ones may grow idle; on the least busy one when there
    /// are as many as there may be.
    pub(super) fn stream(&self) -> Option<Stream> {
        let mut trunks = self.trunks.borrow_mut();
        trunks.retain(|trunk| !trunk.is_closed() && trunk.opened() < self.bounds.requests);
        let trunk = match trunks.iter().find(|trunk| trunk.has_room()) {
            None if trunks.len() >= MOST_TRUNKS => {
                trunks.iter().min_by_key(|trunk| trunk.streams())
            }
            found => found,
        };
        trunk.map(Trunk::stream)
    }

    /// Keeps a connection whose exchange is over, or closes it when there are enough, it has served its time or takes no more.
    pub(super) fn put(&self, line: Box<Line>) {
        let Bounds {
            idle: most,
            lifetime,
            requests,
            ..
        } = self.bounds;
        let since = self.swept.get();
        let spent = line.served >= requests || since - line.born >= lifetime;
        let mut idle = self.idle.borrow_mut();
        if idle.len() < most && !spent && line.is_free() {
            idle.push_back(Idle { line, since });
        }
    }

    /// Shares a new HTTP/2 connection.
    pub(super) fn share(&self, trunk: Rc<Trunk>) {
        self.trunks.borrow_mut().push(trunk);
    }

    /// Closes what is past its time or was closed by the endpoint. An HTTP/2 connection ends with its last stream.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let Bounds {
            keepalive,
            lifetime,
            ..
        } = self.bounds;
        self.swept.set(now);
        self.idle.borrow_mut().retain_mut(|Idle { line, since }| {
            line.look();
            line.is_free() && now - *since < keepalive && now - line.born < lifetime
        });
        self.trunks.borrow_mut().retain(|trunk| {
            !trunk.is_closed() && trunk.idle(now) < keepalive && now - trunk.born() < lifetime
        });
    }
}
