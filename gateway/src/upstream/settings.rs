//! One upstream as configured. Must not: resolve or connect.

use std::time::Duration;

use http::uri::{Authority, Scheme};

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
    /// When the circuit opens and closes.
    pub circuit: CircuitSpec,
    /// Response statuses that count as failures.
    pub failure_statuses: Vec<u16>,
}

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// `http`.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
}
