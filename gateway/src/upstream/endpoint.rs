//! One address of an upstream: its pool, its name on the wire, and how many attempts it holds. Must not: choose among endpoints.

use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;

use super::member::Member;
use super::pool::Pool;
use super::settings::Settings;
use crate::policy::balance::Weight;

/// One address of an upstream, as one thread uses it.
pub struct Endpoint {
    member: Arc<Member>,
    host: HeaderValue,
    connect_timeout: Duration,
    idle_timeout: Duration,
    in_flight: Cell<usize>,
    /// What of it the whole process has been told.
    told: Cell<usize>,
    /// Attempts of this thread at all endpoints of the upstream.
    load: Rc<Cell<usize>>,
    pool: Rc<Pool>,
}

impl Endpoint {
    pub(super) fn new(member: &Arc<Member>, shared: &Settings, load: &Rc<Cell<usize>>) -> Self {
        // An authority is a subset of what a header value may hold, so the fallback is never taken.
        let host = HeaderValue::from_str(member.settings.authority.as_str());
        Self {
            member: Arc::clone(member),
            host: host.unwrap_or_else(|_| HeaderValue::from_static("upstream.invalid")),
            connect_timeout: shared.connect_timeout,
            idle_timeout: shared.idle_timeout,
            in_flight: Cell::new(0),
            told: Cell::new(0),
            load: Rc::clone(load),
            pool: Rc::new(Pool::new(shared.idle_connections, shared.keepalive)),
        }
    }

    /// Host and port, as configured: also where the host is a name that led to [`Self::address`].
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.member.settings.authority
    }

    /// Where to connect; none for the authority itself.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.member.address
    }

    /// What `Host` says towards this endpoint.
    #[must_use]
    pub const fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Attempts of this thread whose answer is not complete.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    pub(super) const fn member(&self) -> &Arc<Member> {
        &self.member
    }

    pub(super) fn weight(&self) -> Weight {
        self.member.settings.weight
    }

    /// Tells the process how many attempts there are, as far as that has changed: on a tick, so that a request pays nothing for it.
    pub(super) fn tell(&self) {
        let now = self.in_flight.get();
        let told = self.told.replace(now);
        if now != told {
            let change = now as i64 - told as i64;
            self.member.in_flight.add(change);
        }
    }

    pub(super) const fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(super) const fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    pub(super) const fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("member", &self.member.label())
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

/// Counts an attempt at its endpoint until it is dropped.
#[derive(Debug)]
pub struct InFlight(Rc<Endpoint>);

impl InFlight {
    pub(super) fn enter(endpoint: &Rc<Endpoint>) -> Self {
        endpoint.in_flight.set(endpoint.in_flight.get() + 1);
        endpoint.load.set(endpoint.load.get() + 1);
        Self(Rc::clone(endpoint))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
        self.0.load.set(self.0.load.get() - 1);
    }
}
