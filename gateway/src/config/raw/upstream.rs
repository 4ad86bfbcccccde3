//! `[upstreams.NAME]` as written. Must not: relate one key to another.

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::balance::{Checks, Dns, Ejection};
use super::endpoint::Endpoint;
use super::scalar::{Balance, Text};
use super::tls::Tls;
use crate::policy::circuit::Quorum;
use crate::policy::grpc::GrpcStatus;
use crate::policy::units::Micros;
use crate::upstream::settings::{HashKey, HostChoice, Protocol};

/// Interchangeable endpoints behind one circuit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Upstream {
    /// Where it listens, at least one: `http://HOST:PORT`, `https://HOST:PORT` or `h2c://HOST:PORT`, or `{ url = "http://HOST:PORT", weight = 3 }`. A name stands for all its addresses.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) endpoints: Option<List<Endpoint>>,
    /// Which endpoint is next: in turn, the less loaded of two drawn at random, or the same one for the same key.
    pub(in super::super) balance: Option<Text<Balance>>,
    /// What `balance = "hash"` hashes: `client`, `header:NAME` or `cookie:NAME`.
    pub(in super::super) hash: Option<Text<HashKey>>,
    /// The most an endpoint may have in flight under `balance = "hash"`, as a multiple of its fair share, before its keys go to the next; absent: any.
    #[schemars(extend("x-unit" = "a factor"))]
    pub(in super::super) hash_bound: Option<f64>,
    /// How long an endpoint that is new or back takes to its full share; 0s for at once.
    pub(in super::super) slow_start: Option<Text<Micros>>,
    /// Below this share of usable endpoints all are used; 0 for never.
    #[schemars(extend("x-unit" = "a share, 0 to 1"))]
    pub(in super::super) panic_threshold: Option<f64>,
    /// When an endpoint whose requests keep failing is left out.
    pub(in super::super) ejection: Option<Ejection>,
    /// Active checks of each endpoint; none without a path.
    pub(in super::super) health: Option<Checks>,
    /// How names of endpoints become addresses.
    pub(in super::super) dns: Option<Dns>,
    /// Which HTTP is spoken: `1.1`, `2`, or `auto` for what an endpoint's scheme says and, under TLS, what both sides agree on.
    pub(in super::super) http: Option<Text<Protocol>>,
    /// What `Host` says: the `endpoint`'s host and port, what the client asked for (`keep`), or a name written here.
    pub(in super::super) host: Option<Text<HostChoice>>,
    /// Whether interim answers (102, 103 Early Hints) go on to HTTP/1.1 clients, as far as they come over HTTP/1.1.
    pub(in super::super) informational: Option<bool>,
    /// TLS towards `https` endpoints.
    pub(in super::super) tls: Option<Tls>,
    /// The longest to the whole response head, connecting included; then 504.
    pub(in super::super) timeout: Option<Text<Micros>>,
    /// The longest to a connection, TLS included.
    pub(in super::super) connect_timeout: Option<Text<Micros>>,
    /// The longest without a byte while a body streams.
    pub(in super::super) idle_timeout: Option<Text<Micros>>,
    /// How many idle connections each worker keeps for each endpoint.
    #[schemars(extend("x-unit" = "connections"))]
    pub(in super::super) idle_connections: Option<u32>,
    /// How long an idle connection is kept.
    pub(in super::super) keepalive: Option<Text<Micros>>,
    /// How old a connection may grow until no more requests go on it; up to a tenth less, so that not all end together.
    pub(in super::super) max_connection_lifetime: Option<Text<Micros>>,
    /// How many requests one connection carries; 0 is any number.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) max_connection_requests: Option<u32>,
    /// Response statuses that count as failures.
    #[schemars(extend("x-unit" = "HTTP statuses"))]
    pub(in super::super) failure_statuses: Option<List<u16>>,
    /// Statuses of gRPC that count as failures, by name; a client chooses its own deadline, so `DEADLINE_EXCEEDED` need not be one.
    pub(in super::super) grpc_failure_statuses: Option<List<Text<GrpcStatus>>>,
    /// When the circuit opens and closes, in the whole fleet.
    pub(in super::super) circuit: Option<Circuit>,
    /// How many requests may be in flight at once, for each replica; absent: any number.
    pub(in super::super) concurrency: Option<Concurrency>,
}

/// How many requests may be in flight at once.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Concurrency {
    /// The most; then 503.
    #[schemars(extend("x-required" = true, "x-unit" = "requests"))]
    pub(in super::super) max: Option<u32>,
    /// How many may wait for a place; absent: 100.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) queue: Option<u32>,
    /// The longest they may; absent: 1s.
    pub(in super::super) queue_timeout: Option<Text<Micros>>,
    /// Lets the limit follow the latency; absent: it stays at `max`.
    pub(in super::super) adaptive: Option<Adaptive>,
}

/// A limit that shrinks when the upstream gets slower, and grows again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Adaptive {
    /// The lowest limit, also for a look at how fast answers are without a queue; absent: 10, or `max` if that is less.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) min: Option<u32>,
    /// How many times the usual latency is still no sign of a queue, at least 1; absent: 1.5.
    #[schemars(extend("x-unit" = "a factor"))]
    pub(in super::super) tolerance: Option<f64>,
}

/// When a circuit opens and closes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Circuit {
    /// Consecutive failures that open it.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) failures: Option<u32>,
    /// How far back a failure counts.
    pub(in super::super) window: Option<Text<Micros>>,
    /// How long it stays open before a probe.
    pub(in super::super) reset: Option<Text<Micros>>,
    /// Probes granted at a time, in the whole fleet.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) probes: Option<u32>,
    /// How many distinct replicas must have failed: a number, or `auto` for 2, or 1 where no other replica has traffic.
    pub(in super::super) quorum: Option<Text<Quorum>>,
    /// Opens on a share of failures as well; absent: not.
    pub(in super::super) ratio: Option<Ratio>,
    /// Opens on a share of slow calls as well; absent: not.
    pub(in super::super) slow: Option<Slow>,
}

/// A share of failures within the window.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Ratio {
    /// Failures ÷ calls that open the circuit, above 0 and at most 1.
    #[schemars(extend("x-required" = true, "x-unit" = "a share, 0 to 1"))]
    pub(in super::super) threshold: Option<f64>,
    /// Calls within the window below which the share says nothing.
    #[schemars(extend("x-required" = true, "x-unit" = "requests"))]
    pub(in super::super) minimum: Option<u32>,
}

/// A share of slow calls within the window.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Slow {
    /// From how long on a call is slow.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) duration: Option<Text<Micros>>,
    /// Slow calls ÷ calls that open the circuit, above 0 and at most 1.
    #[schemars(extend("x-required" = true, "x-unit" = "a share, 0 to 1"))]
    pub(in super::super) threshold: Option<f64>,
    /// Calls within the window below which the share says nothing.
    #[schemars(extend("x-required" = true, "x-unit" = "requests"))]
    pub(in super::super) minimum: Option<u32>,
}
