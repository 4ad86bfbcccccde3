//! One address of an upstream: its pool, its name on the wire, and how many attempts it holds. Must not: choose among endpoints.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;

use super::pool::Pool;
use super::settings::{EndpointSettings, Settings};

/// One address of an upstream.
pub struct Endpoint {
    authority: Authority,
    host: HeaderValue,
    connect_timeout: Duration,
    idle_timeout: Duration,
    in_flight: Cell<usize>,
    pool: Rc<Pool>,
}

impl Endpoint {
    pub(super) fn new(one: &EndpointSettings, shared: &Settings) -> Self {
        // An authority is a subset of what a header value may hold, so the fallback is never taken.
        let host = HeaderValue::from_str(one.authority.as_str());
        Self {
            authority: one.authority.clone(),
            host: host.unwrap_or_else(|_| HeaderValue::from_static("upstream.invalid")),
            connect_timeout: shared.connect_timeout,
            idle_timeout: shared.idle_timeout,
            in_flight: Cell::new(0),
            pool: Rc::new(Pool::new(shared.idle_connections, shared.keepalive)),
        }
    }

    /// Host and port.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
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
            .field("authority", &self.authority)
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
        Self(Rc::clone(endpoint))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}
