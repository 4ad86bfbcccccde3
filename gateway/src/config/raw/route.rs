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
use crate::policy::grpc::GrpcStatus;
use crate::policy::retry::{Jitter, Trouble};
use crate::policy::units::{ByteSize, Micros, Rate};

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
    /// Who is let in, by names of `[auth]`: all address lists must allow, then the first of the credentials that recognises what is shown
    /// decides, then every external service must agree. Empty: everybody.
    pub(in super::super) auth: Option<List<String>>,
    /// Whether the upstream's circuit is asked and told; absent: `true`. `false` is for what must get through, like switching a service on again.
    pub(in super::super) circuit: Option<bool>,
    /// The limits a request must pass, all of them.
    pub(in super::super) limits: Option<List<String>>,
    /// Tokens one request costs.
    #[schemars(extend("x-unit" = "tokens"))]
    pub(in super::super) cost: Option<u64>,
    /// The longest from a request's head to the last byte of its answer, all attempts and waits included; absent: no end.
    pub(in super::super) timeout: Option<Text<Micros>>,
    /// The largest request body, where that is less than `server.max_body_bytes`; then 413.
    pub(in super::super) max_body_bytes: Option<Text<ByteSize>>,
    /// When and how often an attempt is repeated.
    pub(in super::super) retry: Option<Retry>,
    /// Attempts beside a slow one, for safe requests without a body; absent: none.
    pub(in super::super) hedge: Option<Hedge>,
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
    #[schemars(extend("x-unit" = "attempts"))]
    pub(in super::super) attempts: Option<u32>,
    /// Wait before the first retry.
    pub(in super::super) initial_delay: Option<Text<Micros>>,
    /// What each further wait is multiplied by, at least 1.
    #[schemars(extend("x-unit" = "a factor"))]
    pub(in super::super) multiplier: Option<f64>,
    /// The longest wait.
    pub(in super::super) max_delay: Option<Text<Micros>>,
    /// How much of a wait is chance: `full`, all of it, or `none`.
    pub(in super::super) jitter: Option<Text<Jitter>>,
    /// The longest one attempt may take to its response head; absent: the upstream's `timeout`.
    pub(in super::super) attempt_timeout: Option<Text<Micros>>,
    /// Response statuses that are worth another attempt.
    #[schemars(extend("x-unit" = "HTTP statuses"))]
    pub(in super::super) statuses: Option<List<u16>>,
    /// Statuses of gRPC that are worth one, by name, in answers without a message; calls are POST, so `methods` has to list it.
    pub(in super::super) grpc_statuses: Option<List<Text<GrpcStatus>>>,
    /// What else is worth one: `connect`, `reset`, `timeout`.
    pub(in super::super) on: Option<List<Text<Trouble>>>,
    /// Methods whose requests may be sent again though the upstream may have acted on them; absent: the idempotent ones.
    pub(in super::super) methods: Option<List<Text<Method>>>,
    /// How much of a request body is kept to be sent again; what is larger is sent once.
    pub(in super::super) max_body: Option<Text<ByteSize>>,
    /// Whether an upstream's `Retry-After` is waited for, and one beyond `max_delay` ends the retries.
    pub(in super::super) retry_after: Option<bool>,
    /// How many retries and hedges there may be in ten seconds, for each replica.
    pub(in super::super) budget: Option<Budget>,
}

/// Attempts beside a slow one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Hedge {
    /// How long an attempt may be without an answer before another is made beside it.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) after: Option<Text<Micros>>,
    /// The most of them for one attempt; absent: 1.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) most: Option<u32>,
}

/// How many attempts may be made on top of the first ones.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Budget {
    /// For each request, above 0 and at most 1.
    #[schemars(extend("x-unit" = "a share, 0 to 1"))]
    pub(in super::super) share: Option<f64>,
    /// Beside the share, however few requests there are.
    pub(in super::super) minimum: Option<Text<Rate>>,
}
