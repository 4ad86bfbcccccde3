//! A configuration as written: every key, and the type of its value.
//!
//! The documentation of each field here is the documentation of its key: `gateway schema` and `docs/configuration.md`
//! are made from it. Defaults stand in `defaults.toml`, in the file's own form.
//!
//! Guarantees: an unknown key and a value of the wrong form are refused. Must not: relate one key to another; that is
//! `settings`' part.

mod admin;
mod answer;
mod cache;
mod auth;
mod balance;
mod endpoint;
mod limit;
mod http2;
mod log;
mod route;
mod scalar;
mod server;
mod several;
mod server_tls;
mod sharing;
mod store;
mod traces;
mod target;
mod tls;
mod upstream;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use admin::Admin;
pub(super) use answer::{Answer, Answers, Value};
pub(super) use auth::{Addresses, ApiKeys, Auth, External, Jwt, ToHeader, Wanted};
pub(super) use balance::{Checks, Dns, Ejection};
pub(super) use cache::{Cache, CacheKey, RouteCache};
pub(super) use endpoint::Endpoint;
pub(super) use http2::Http2;
pub(super) use limit::{Algorithm, Exempt, Limit};
pub(super) use log::Log;
pub(super) use route::{Budget, Hedge, Retry, Route};
pub(super) use scalar::{Balance, SamplerName, Text};
pub(super) use server::{EncodedSlashes, Health, Server};
pub(super) use server_tls::{Certificate, ServerTls};
pub(super) use several::OneOrMany;
pub(super) use sharing::{Compression, Cors};
pub(super) use store::Store;
pub(super) use target::{Edits, Mirror, Redirect, Share};
pub(super) use tls::Tls;
pub(super) use traces::Traces;
pub(super) use upstream::{Adaptive, Circuit, Concurrency, Ratio, Slow, Upstream};

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
    /// Kept answers, of all routes with `cache`.
    pub(super) cache: Cache,
    /// Logs.
    pub(super) log: Log,
    /// Traces.
    pub(super) traces: Traces,
    /// Upstreams by name: interchangeable endpoints behind one circuit.
    pub(super) upstreams: BTreeMap<String, Upstream>,
    /// Ways to find out who is asking, or whether they may, by name.
    pub(super) auth: BTreeMap<String, Auth>,
    /// Limits by name: what routes may ask of a client.
    pub(super) limits: BTreeMap<String, Limit>,
    /// Answers where no route has its own, and where no route takes the request.
    pub(super) answers: Answers,
    /// Routes: which request goes where.
    pub(super) routes: List<Route>,
}
