//! `[cache]` and a route's `cache`, as written. Must not: relate one key to another.

use http::{HeaderName, Method};
use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::scalar::Text;
use crate::policy::units::{ByteSize, Micros};

/// Kept answers, of all routes with `cache`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Cache {
    /// The most memory of this process that answers take, with what it costs to keep them.
    pub(in super::super) memory: Option<Text<ByteSize>>,
    /// The largest answer that is kept, its head included: at most a quarter of `memory`.
    pub(in super::super) max_object: Option<Text<ByteSize>>,
    /// Whether the fleet keeps answers together, in the store.
    pub(in super::super) shared: Option<bool>,
    /// How long others wait for the one that asks the upstream, here or on another replica, before they ask for themselves.
    pub(in super::super) fill_timeout: Option<Text<Micros>>,
}

/// What is kept of a route's answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct RouteCache {
    /// How long an answer is fresh of which the upstream says nothing; absent: it is not kept.
    pub(in super::super) ttl: Option<Text<Micros>>,
    /// Methods answered from what is kept; absent: GET and HEAD.
    pub(in super::super) methods: Option<List<Text<Method>>>,
    /// What tells answers apart, beside scheme, path and the upstream's `Vary`.
    pub(in super::super) key: Option<CacheKey>,
    /// How long a stale answer is used while it is asked for anew, where the upstream says nothing; absent: not.
    pub(in super::super) stale_while_revalidate: Option<Text<Micros>>,
    /// How long a stale answer stands in for an error, where the upstream says nothing; absent: not.
    pub(in super::super) stale_if_error: Option<Text<Micros>>,
    /// Names by which its answers can be purged; `route:NAME` is one already.
    pub(in super::super) tags: Option<List<String>>,
    /// Answers are the same for everybody, whatever `Authorization` or `Cookie` a request has; absent: `false`.
    pub(in super::super) ignore_authorization: Option<bool>,
    /// Variants of one target kept at a time; absent: 16.
    #[schemars(extend("x-unit" = "answers"))]
    pub(in super::super) variants: Option<u32>,
    /// Clients' own `Cache-Control` is obeyed; absent: `true`.
    pub(in super::super) obey_clients: Option<bool>,
}

/// What tells answers of a route apart.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct CacheKey {
    /// Query parameters that count, in any order; absent: the whole query as it is written.
    pub(in super::super) query: Option<List<String>>,
    /// Request headers whose values count, whatever the upstream's `Vary` says; absent: none.
    pub(in super::super) headers: Option<List<Text<HeaderName>>>,
    /// Whether the host counts; absent: `true`.
    pub(in super::super) host: Option<bool>,
}
