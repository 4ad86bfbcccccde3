//! One upstream as configured. Must not: resolve or connect.

use std::fmt;
use std::time::Duration;

use http::uri::Authority;

pub use super::tls::{Tls, TlsError, TlsMaterial};
use crate::policy::circuit::CircuitSpec;
use crate::policy::ids::UpstreamName;

/// A set of interchangeable endpoints behind one circuit.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in routes, metrics and logs.
    pub name: UpstreamName,
    /// Where it listens; at least one.
    pub endpoints: Vec<EndpointSettings>,
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
    /// How `https` endpoints are believed; there is one if any endpoint is `https`.
    pub tls: Option<Tls>,
    /// When the circuit opens and closes.
    pub circuit: CircuitSpec,
    /// Response statuses that count as failures.
    pub failure_statuses: Vec<u16>,
}

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// What is spoken there.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
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
