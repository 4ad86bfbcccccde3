//! A configuration as written: every key, and the type of its value.
//!
//! The documentation of each field here is the documentation of its key: `gateway schema` and `docs/configuration.md`
//! are made from it. Defaults stand in `defaults.toml`, in the file's own form.
//!
//! Guarantees: an unknown key and a value of the wrong form are refused. Must not: relate one key to another; that is
//! `settings`' part.

mod answer;
mod endpoint;
mod scalar;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use http::Method;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use answer::{Answer, Answers, Value};
pub(super) use scalar::{Algorithm, DotSegments, Text};

use super::secret::{Password, Secret};
use crate::limiter::settings::{KeySettings, OnStoreFailure};
use crate::policy::circuit::Quorum;
use crate::policy::units::{Micros, Rate};
use crate::proxy::settings::Underscores;
use crate::telemetry::settings::LogFormat;
use crate::upstream::settings::EndpointSettings;

/// A list; an element that was wrong and has been reported is none.
pub(super) type List<T> = Vec<Option<T>>;

/// Configuration of the gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    /// The proxy listener and the threads behind it.
    pub(super) server: Server,
    /// The listener for operators: metrics, health, console.
    pub(super) admin: Admin,
    /// The shared store, where replicas meet.
    pub(super) store: Store,
    /// Logs.
    pub(super) log: Log,
    /// Upstreams by name: interchangeable endpoints behind one circuit.
    pub(super) upstreams: BTreeMap<String, Upstream>,
    /// Limits by name: what routes may ask of a client.
    pub(super) limits: BTreeMap<String, Limit>,
    /// Routes: which request goes where.
    pub(super) routes: List<Route>,
}

/// The proxy listener and the threads behind it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    /// Where clients connect: IP address and port; port 0 picks a free one.
    pub(super) listen: Option<Text<SocketAddr>>,
    /// Data-plane threads; 0 is one per core.
    pub(super) workers: Option<u16>,
    /// Networks whose `X-Forwarded-For` is believed: CIDRs or single addresses.
    pub(super) trusted_proxies: Option<List<Text<IpNet>>>,
    /// How many leading bits of an IPv6 address are one client.
    pub(super) ipv6_prefix: Option<u8>,
    /// Whether `/metrics` is served on this listener too.
    pub(super) metrics: Option<bool>,
    /// The name this hop signs with in `Via` and `Proxy-Status`. Default: the host's name, else `gateway`.
    pub(super) name: Option<String>,
    /// The longest a client may take to send a request's head; then 408.
    pub(super) header_timeout: Option<Text<Micros>>,
    /// How long a connection may be idle between requests.
    pub(super) keepalive_timeout: Option<Text<Micros>>,
    /// How long a connection that was upgraded (WebSocket) may be silent.
    pub(super) tunnel_idle_timeout: Option<Text<Micros>>,
    /// The most connections; those beyond are closed at once.
    pub(super) max_connections: Option<u32>,
    /// The most connections from one address; those beyond are closed at once.
    pub(super) max_connections_per_address: Option<u32>,
    /// The largest request head, in bytes; then 431.
    pub(super) max_header_bytes: Option<u32>,
    /// The most header fields of a request, at most 256; then 431.
    pub(super) max_headers: Option<u16>,
    /// The longest request target, in bytes; then 414.
    pub(super) max_uri_bytes: Option<u32>,
    /// The largest request body, in bytes; then 413.
    pub(super) max_body_bytes: Option<u64>,
    /// How long a client may let its body be waited for, in all; each 256 bytes pay back a second. Then 408.
    pub(super) body_timeout: Option<Text<Micros>>,
    /// What becomes of header fields with an underscore in their name: `reject` the request, `drop` them, or `allow` them.
    pub(super) underscore_headers: Option<Text<Underscores>>,
    /// What becomes of a path with dot segments, plain or encoded: `reject` it, or `forward` it as it is.
    pub(super) dot_segments: Option<Text<DotSegments>>,
    /// How long requests in flight may take to finish after a stop was asked for.
    pub(super) drain_timeout: Option<Text<Micros>>,
    /// How long readiness fails before the listener closes, so that load balancers look away first.
    pub(super) drain_delay: Option<Text<Micros>>,
}

/// The listener for operators.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    /// Where operators and scrapers connect: IP address and port.
    pub(super) listen: Option<Text<SocketAddr>>,
    /// What operators show to use the API, `Authorization: Bearer …`; absent: the API answers on a loopback address alone.
    pub(super) token: Option<Text<Password>>,
    /// A file that holds the token, instead of `token`.
    pub(super) token_file: Option<PathBuf>,
}

/// The shared store.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    /// `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`; absent: the embedded store, shared by nobody.
    pub(super) url: Option<Text<Secret>>,
    /// A file that holds the URL, instead of `url`.
    pub(super) url_file: Option<PathBuf>,
    /// The authorities whose certificates `rediss://` believes, in PEM; absent: the system's.
    pub(super) ca_file: Option<PathBuf>,
    /// The first part of every key.
    pub(super) prefix: Option<String>,
    /// The longest a request waits for one decision of the store.
    pub(super) timeout: Option<Text<Micros>>,
    /// How often this replica says that it lives and asks for what it may have missed.
    pub(super) heartbeat: Option<Text<Micros>>,
    /// Consecutive failed calls after which the store counts as lost and requests stop waiting for it.
    pub(super) failures: Option<u32>,
}

/// Logs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or a filter like `gateway=debug,warn`.
    pub(super) level: Option<String>,
    /// `json` or `text`; absent: text on a terminal, JSON elsewhere.
    pub(super) format: Option<Text<LogFormat>>,
    /// Whether each request leaves an access line.
    pub(super) access: Option<bool>,
}

/// Interchangeable endpoints behind one circuit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    /// Where it listens: `http://HOST:PORT`, at least one.
    pub(super) endpoints: Option<List<Text<EndpointSettings>>>,
    /// The longest to the whole response head, connecting included; then 504.
    pub(super) timeout: Option<Text<Micros>>,
    /// The longest to a connection.
    pub(super) connect_timeout: Option<Text<Micros>>,
    /// The longest without a byte while a body streams.
    pub(super) idle_timeout: Option<Text<Micros>>,
    /// How many idle connections each worker keeps for each endpoint.
    pub(super) idle_connections: Option<u32>,
    /// How long an idle connection is kept.
    pub(super) keepalive: Option<Text<Micros>>,
    /// Response statuses that count as failures.
    pub(super) failure_statuses: Option<List<u16>>,
    /// When the circuit opens and closes, in the whole fleet.
    pub(super) circuit: Option<Circuit>,
}

/// When a circuit opens and closes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Circuit {
    /// Consecutive failures that open it.
    pub(super) failures: Option<u32>,
    /// How far back a failure counts.
    pub(super) window: Option<Text<Micros>>,
    /// How long it stays open before a probe.
    pub(super) reset: Option<Text<Micros>>,
    /// Probes granted at a time, in the whole fleet.
    pub(super) probes: Option<u32>,
    /// How many distinct replicas must have failed: a number, or `auto` for 2, or 1 where no other replica has traffic.
    pub(super) quorum: Option<Text<Quorum>>,
    /// Opens on a share of failures as well; absent: not.
    pub(super) ratio: Option<Ratio>,
    /// Opens on a share of slow calls as well; absent: not.
    pub(super) slow: Option<Slow>,
}

/// A share of failures within the window.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ratio {
    /// Failures ÷ calls that open the circuit, above 0 and at most 1.
    pub(super) threshold: Option<f64>,
    /// Calls within the window below which the share says nothing.
    pub(super) minimum: Option<u32>,
}

/// A share of slow calls within the window.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Slow {
    /// From how long on a call is slow.
    pub(super) duration: Option<Text<Micros>>,
    /// Slow calls ÷ calls that open the circuit, above 0 and at most 1.
    pub(super) threshold: Option<f64>,
    /// Calls within the window below which the share says nothing.
    pub(super) minimum: Option<u32>,
}

/// What routes may ask of a client.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    /// How it counts: `token_bucket`.
    pub(super) algorithm: Option<Text<Algorithm>>,
    /// Whom it counts: each `client` address, or `global` for everybody together.
    pub(super) key: Option<Text<KeySettings>>,
    /// The most tokens a bucket holds.
    pub(super) capacity: Option<u64>,
    /// Tokens added per duration, continuously: `10/s`, `100/1m`.
    pub(super) refill: Option<Text<Rate>>,
    /// Whether a replica may hold tokens ahead; without, every request asks the store.
    pub(super) leases: Option<bool>,
    /// The longest a token may be held ahead.
    pub(super) lease_lifetime: Option<Text<Micros>>,
    /// When the store does not answer: `degrade` to local buckets of a replica's share, `allow`, or `deny`.
    pub(super) on_store_failure: Option<Text<OnStoreFailure>>,
    /// Decide and count, but never refuse.
    pub(super) shadow: Option<bool>,
}

/// Which request goes where.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    /// Its name in metrics and logs.
    pub(super) name: Option<String>,
    /// The path pattern: `/proxy/{*path}`, `/users/{id}`.
    pub(super) path: Option<String>,
    /// The path sent upstream, with the pattern's parameters; absent: the path as it came.
    pub(super) rewrite: Option<String>,
    /// Methods it answers; empty: any.
    pub(super) methods: Option<List<Text<Method>>>,
    /// The upstream it goes to.
    pub(super) upstream: Option<String>,
    /// The limits a request must pass, all of them.
    pub(super) limits: Option<List<String>>,
    /// Tokens one request costs.
    pub(super) cost: Option<u64>,
    /// When and how often an attempt is repeated.
    pub(super) retry: Option<Retry>,
    /// Answers of the route's own in place of the gateway's, by what happened.
    pub(super) answers: Option<Answers>,
}

/// When and how often an attempt is repeated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {
    /// Attempts in all; 1 is no retry.
    pub(super) attempts: Option<u32>,
    /// Wait before the first retry.
    pub(super) initial_delay: Option<Text<Micros>>,
    /// What each further wait is multiplied by, at least 1.
    pub(super) multiplier: Option<f64>,
    /// The longest wait.
    pub(super) max_delay: Option<Text<Micros>>,
}
