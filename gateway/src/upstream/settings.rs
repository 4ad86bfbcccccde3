//! One upstream as configured. Must not: resolve or connect.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue};

pub use super::tls::{Tls, TlsError, TlsMaterial};
use crate::policy::balance::Weight;
use crate::policy::balance::ejection::EjectionSpec;
use crate::policy::circuit::CircuitSpec;
use crate::policy::gradient::GradientSpec;
use crate::policy::grpc::GrpcStatus;
use crate::policy::ids::UpstreamName;

/// A set of interchangeable endpoints behind one circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Its name in routes, metrics and logs.
    pub name: UpstreamName,
    /// Where it listens; at least one.
    pub endpoints: Vec<EndpointSettings>,
    /// Which endpoint gets the next request, and which may.
    pub balance: BalanceSettings,
    /// How names become addresses.
    pub dns: DnsSettings,
    /// Active checks, if there are any.
    pub health: Option<HealthSettings>,
    /// The longest to the whole response head, connecting included; then 504.
    pub timeout: Duration,
    /// The longest to a connection.
    pub connect_timeout: Duration,
    /// The longest without a byte while a body streams.
    pub idle_timeout: Duration,
    /// How many idle connections each worker keeps for each endpoint.
    pub idle_connections: usize,
    /// How long an idle connection is kept.
    pub keepalive: Duration,
    /// How old a connection may grow, idle or not, until no more requests go on it.
    pub max_connection_lifetime: Duration,
    /// How many requests one connection carries; 0 is any number.
    pub max_connection_requests: u32,
    /// Which HTTP is spoken.
    pub protocol: Protocol,
    /// What `Host`, or `:authority`, says.
    pub host: HostChoice,
    /// Whether interim answers (1xx) go on to clients.
    pub informational: bool,
    /// How `https` endpoints are believed; there is one if any endpoint is `https`.
    pub tls: Option<Tls>,
    /// When the circuit opens and closes.
    pub circuit: CircuitSpec,
    /// How many requests may be in flight at once, in this process; none: any number.
    pub concurrency: Option<ConcurrencySettings>,
    /// Response statuses that count as failures.
    pub failure_statuses: Vec<u16>,
    /// Statuses of gRPC that count as failures.
    pub grpc_failure_statuses: Vec<GrpcStatus>,
}

/// How many requests may be in flight at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConcurrencySettings {
    /// The most, at least 1.
    pub most: u32,
    /// How many may wait for a place.
    pub queue: u32,
    /// The longest they may.
    pub queue_timeout: Duration,
    /// Between what the limit follows the latency; none: it stays where it is.
    pub adaptive: Option<GradientSpec>,
}

/// One address of an upstream, or a name that stands for several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// What is spoken there.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// Its share of the requests, beside the others'. At least 1.
    pub weight: Weight,
}

/// Which endpoint gets the next request, and which may.
#[derive(Clone, Debug, PartialEq)]
pub struct BalanceSettings {
    /// The rule.
    pub rule: Rule,
    /// How long an endpoint that is new or back takes to its full share; zero for at once.
    pub slow_start: Duration,
    /// When an endpoint that keeps failing is left out; none for never.
    pub ejection: Option<EjectionSpec>,
    /// Below this share of usable endpoints all are used.
    pub panic_threshold: f64,
}

/// How one is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// In turn, by weight.
    RoundRobin,
    /// The one with fewer requests in flight, of two drawn at random.
    LeastLoaded,
    /// The same one for the same key.
    Hash {
        /// What is hashed.
        key: HashKey,
        /// The most an endpoint may hold, as a multiple of its fair share of what this thread has in flight; none for any.
        bound: Option<f64>,
    },
}

/// What makes requests go to the same endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// The client, as limits know it.
    Client,
    /// The value of this request header.
    Header(HeaderName),
    /// The value of this cookie.
    Cookie(String),
}

/// How names become addresses.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsSettings {
    /// The longest between two look-ups; a record's time to live may make it shorter.
    pub refresh: Duration,
    /// The longest a look-up may take.
    pub timeout: Duration,
    /// Whom to ask; empty for whom the system asks.
    pub servers: Vec<SocketAddr>,
    /// Which of a name's addresses are used.
    pub family: Family,
}

/// Which of a name's addresses are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// All.
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Active checks.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthSettings {
    /// What is asked for.
    pub path: PathAndQuery,
    /// `Host` of the question; none for the endpoint's own.
    pub host: Option<HeaderValue>,
    /// From one check to the next.
    pub interval: Duration,
    /// The longest one may take.
    pub timeout: Duration,
    /// Checks passed in a row that make an endpoint healthy again.
    pub healthy: u32,
    /// Checks failed in a row that make it unhealthy.
    pub unhealthy: u32,
    /// Statuses that pass.
    pub statuses: Vec<RangeInclusive<u16>>,
}

impl Settings {
    /// Whether `other` asks for the same endpoints in the same way. Circuits are not compared: they have a life of their own.
    #[must_use]
    pub fn is_same_apart_from_circuit(&self, other: &Self) -> bool {
        let circuit = self.circuit.clone();
        *self
            == Self {
                circuit,
                ..other.clone()
            }
    }
}

impl EndpointSettings {
    /// The port, written or the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        let own = self.scheme.default_port();
        self.authority.port_u16().unwrap_or(own)
    }
}

impl HealthSettings {
    /// Whether an answer with this status passes.
    #[must_use]
    pub fn passes(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| range.contains(&status))
    }
}

/// What an endpoint's URL says of what is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP in clear text.
    Http,
    /// HTTP under TLS.
    Https,
    /// HTTP/2 in clear text, known beforehand (RFC 9113, section 3.3).
    H2c,
}

impl Scheme {
    /// The port where none is written.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http | Self::H2c => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
        })
    }
}

/// Which HTTP is spoken to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// What the endpoint's scheme says, and under TLS what both sides agree on (ALPN, RFC 7301).
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// What `Host`, or `:authority`, says towards an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostChoice {
    /// The endpoint's own host and port.
    Endpoint,
    /// What the client asked for.
    Keep,
    /// This.
    Named(Authority),
}
