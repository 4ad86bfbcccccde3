//! One address of an upstream: its pool, its name on the wire, and how many attempts it holds. Must not: choose among endpoints.

use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::UPGRADE;
use http::uri::Authority;
use http::{HeaderValue, Request};

use super::connect::Turns;
use super::link::Link;
use super::member::Member;
use super::pool::Pool;
use super::settings::{HostChoice, Protocol, Scheme, Settings};
use super::tls::{Offer, Tls};
use crate::policy::balance::Weight;

/// One address of an upstream, as one thread uses it.
pub struct Endpoint {
    member: Arc<Member>,
    said: Authority,
    host: HeaderValue,
    keeps_host: bool,
    offer: Offer,
    tls: Option<Tls>,
    turns: Turns,
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
        let one = &member.settings;
        let said = match &shared.host {
            HostChoice::Named(name) => name,
            HostChoice::Endpoint | HostChoice::Keep => &one.authority,
        };
        // An authority is a subset of what a header value may hold, so the fallback is never taken.
        let host = HeaderValue::from_str(said.as_str());
        Self {
            member: Arc::clone(member),
            said: said.clone(),
            keeps_host: shared.host == HostChoice::Keep,
            offer: offer(one.scheme, shared.protocol),
            tls: shared.tls.clone().filter(|_| one.scheme == Scheme::Https),
            turns: Turns::default(),
            host: host.unwrap_or_else(|_| HeaderValue::from_static("upstream.invalid")),
            connect_timeout: shared.connect_timeout,
            idle_timeout: shared.idle_timeout,
            in_flight: Cell::new(0),
            told: Cell::new(0),
            load: Rc::clone(load),
            pool: Rc::new(Pool::new(shared)),
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

    /// What `Host` says towards this endpoint, unless it [keeps](Self::keeps_host) the client's.
    #[must_use]
    pub const fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// What `:authority` says where `Host` would say [`Self::host`].
    pub(super) const fn said(&self) -> &Authority {
        &self.said
    }

    /// Whether the client's own `Host` goes on, where there is one.
    #[must_use]
    pub const fn keeps_host(&self) -> bool {
        self.keeps_host
    }

    pub(super) fn is_secure(&self) -> bool {
        self.member.settings.scheme == Scheme::Https
    }

    /// `https` where TLS is spoken, else `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.is_secure() { "https" } else { "http" }
    }

    /// The port where the authority names none.
    #[must_use]
    pub fn default_port(&self) -> u16 {
        self.member.settings.scheme.default_port()
    }

    pub(super) const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) const fn turns(&self) -> &Turns {
        &self.turns
    }

    /// What `request` can go over: a switch of protocols is HTTP/1.1's alone (RFC 9113, section 8.6).
    pub(super) fn offer<B>(&self, request: &Request<B>) -> Offer {
        match self.offer {
            Offer::Http1 => Offer::Http1,
            _ if request.headers().contains_key(UPGRADE) => Offer::Http1,
            offer => offer,
        }
    }

    /// A place on a connection that is already there.
    pub(super) fn pooled(&self, offer: Offer) -> Option<Link> {
        let stream = match offer {
            Offer::Http1 => None,
            Offer::Either | Offer::Http2 => self.pool.stream().map(Link::Http2),
        };
        match offer {
            Offer::Http2 => stream,
            Offer::Http1 | Offer::Either => stream.or_else(|| self.pool.line().map(Link::Http1)),
        }
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

/// What is offered to an endpoint, or known of it beforehand.
const fn offer(scheme: Scheme, protocol: Protocol) -> Offer {
    match (scheme, protocol) {
        (_, Protocol::Http1) | (Scheme::Http, Protocol::Auto) => Offer::Http1,
        (_, Protocol::Http2) | (Scheme::H2c, Protocol::Auto) => Offer::Http2,
        (Scheme::Https, Protocol::Auto) => Offer::Either,
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
