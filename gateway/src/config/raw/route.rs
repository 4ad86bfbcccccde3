//! `[[routes]]` as written. Must not: relate one key to another.

use std::collections::BTreeMap;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::answer::{Answer, Answers, Value};
use super::cache::RouteCache;
use super::scalar::Text;
use super::sharing::{Compression, Cors};
use super::target::{Edits, Mirror, Redirect, Share};
use crate::policy::units::Micros;

/// Which request goes where.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Route {
    /// Its name in metrics and logs.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) name: Option<String>,
    /// Hosts it answers, `api.example.com` or `*.example.com` for all below; empty: any.
    pub(in super::super) hosts: Option<List<String>>,
    /// The path pattern: `/proxy/{*path}`, `/users/{id}`.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) path: Option<String>,
    /// The path sent upstream, with the pattern's parameters; absent: the path as it came.
    pub(in super::super) rewrite: Option<String>,
    /// What is taken off the start of the path on its way upstream; instead of `rewrite`.
    pub(in super::super) strip_prefix: Option<String>,
    /// Header fields a request must have, by name: a value, or its start and `*`; `*` alone is any value.
    pub(in super::super) headers: Option<BTreeMap<String, Value>>,
    /// Methods it answers; empty: any.
    pub(in super::super) methods: Option<List<Text<Method>>>,
    /// The upstream it goes to.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) upstream: Option<String>,
    /// Several upstreams by weight, instead of `upstream`.
    pub(in super::super) split: Option<List<Share>>,
    /// By what a client stays with its upstream of a split: `client`, `cookie:NAME` or `header:NAME`; absent: each request is a
    /// new choice.
    pub(in super::super) sticky: Option<String>,
    /// Where the client is sent, instead of an upstream.
    pub(in super::super) redirect: Option<Redirect>,
    /// An answer that is always the same, instead of an upstream.
    pub(in super::super) respond: Option<Answer>,
    /// The limits a request must pass, all of them.
    pub(in super::super) limits: Option<List<String>>,
    /// Tokens one request costs.
    pub(in super::super) cost: Option<u64>,
    /// When and how often an attempt is repeated.
    pub(in super::super) retry: Option<Retry>,
    /// Answers of the route's own in place of the gateway's, by what happened.
    pub(in super::super) answers: Option<Answers>,
    /// What is kept of its answers; absent: nothing.
    pub(in super::super) cache: Option<RouteCache>,
    /// What a successful write through it purges, beside its own target: `tag:NAME`, `route:NAME`.
    pub(in super::super) purge: Option<List<String>>,
    /// Header fields changed on the way to the upstream.
    pub(in super::super) request_headers: Option<Edits>,
    /// Header fields changed on the way to the client, on every answer of the route.
    pub(in super::super) response_headers: Option<Edits>,
    /// Copies of its requests to a second upstream, whose answers nobody sees; absent: none.
    pub(in super::super) mirror: Option<Mirror>,
    /// What scripts of other origins may do; absent: the upstream decides.
    pub(in super::super) cors: Option<Cors>,
    /// Which answers are compressed; absent: none.
    pub(in super::super) compression: Option<Compression>,
}

/// When and how often an attempt is repeated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Retry {
    /// Attempts in all; 1 is no retry.
    pub(in super::super) attempts: Option<u32>,
    /// Wait before the first retry.
    pub(in super::super) initial_delay: Option<Text<Micros>>,
    /// What each further wait is multiplied by, at least 1.
    pub(in super::super) multiplier: Option<f64>,
    /// The longest wait.
    pub(in super::super) max_delay: Option<Text<Micros>>,
}
