//! `[limits.NAME]` as written. Must not: relate one key to another.

use std::collections::BTreeMap;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::List;
use super::scalar::{Scalar, Text, choice};
use super::several::OneOrMany;
use crate::limiter::settings::{KeyPart, LegacyHeaders, OnStoreFailure};
use crate::policy::units::{Micros, Rate};
use crate::policy::window::Counting;

/// What routes may ask of a client.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Limit {
    /// How it counts: `token_bucket` (tokens that refill continuously), `fixed_window` (by the calendar), `sliding_window` (weighing
    /// the window before), `sliding_log` (every token, exact and dearer), or `concurrency` (requests in flight).
    pub(in super::super) algorithm: Option<Text<Algorithm>>,
    /// Whom it counts: each `client` address, `global` (everybody together), each `route`, `api_key`, `subject`, `header:NAME`,
    /// `cookie:NAME`, `claim:NAME` or `path:PARAMETER`, or several of them together as a list. A request without one counts by its address.
    pub(in super::super) key: Option<OneOrMany<KeyPart>>,
    /// Of a `token_bucket`, required: the most tokens it holds.
    #[schemars(extend("x-unit" = "tokens"))]
    pub(in super::super) capacity: Option<u64>,
    /// Of a `token_bucket`, required: tokens added per duration, continuously: `10/s`, `100/1m`.
    pub(in super::super) refill: Option<Text<Rate>>,
    /// Of a window, required: the most tokens in each. Of `concurrency`, required: the most requests in flight.
    #[schemars(extend("x-unit" = "tokens, or requests in flight"))]
    pub(in super::super) limit: Option<u64>,
    /// Of a window, required: how long it is: `10s`, `1m`, `1d`. One begins whenever the store's clock is a multiple of it.
    pub(in super::super) window: Option<Text<Micros>>,
    /// Of `concurrency`: after how long the requests of a replica that died count no longer.
    pub(in super::super) lease: Option<Text<Micros>>,
    /// Of a `token_bucket`: whether a replica may hold tokens ahead; without, every request asks the store.
    pub(in super::super) leases: Option<bool>,
    /// Of a `token_bucket`: the longest a token may be held ahead.
    pub(in super::super) lease_lifetime: Option<Text<Micros>>,
    /// When the store does not answer: `degrade` to local buckets of a replica's share, `allow`, or `deny`.
    pub(in super::super) on_store_failure: Option<Text<OnStoreFailure>>,
    /// Decide and count, but never refuse.
    pub(in super::super) shadow: Option<bool>,
    /// Whether answers also tell it in `X-RateLimit-Limit`, `-Remaining` and `-Reset`: `true` with seconds to wait in the last, `epoch`
    /// with seconds since 1970, or `false`.
    pub(in super::super) legacy_headers: Option<Text<LegacyHeaders>>,
    /// Who is not counted.
    pub(in super::super) exempt: Option<Exempt>,
    /// Other figures for those of a plan (`auth`), by its name; each is a limit of its own, `NAME@PLAN`.
    pub(in super::super) plans: Option<BTreeMap<String, Plan>>,
}

/// Who is not counted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Exempt {
    /// Requests from these networks.
    pub(in super::super) addresses: Option<List<Text<IpNet>>>,
    /// Requests whose key is one of these, as the request says it; of a key of several parts all of them, `|` between.
    pub(in super::super) keys: Option<List<String>>,
    /// Requests that turned out to be from one of these.
    pub(in super::super) subjects: Option<List<String>>,
}

/// The figures of one plan, those its limit's algorithm has; what it leaves out is the limit's own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Plan {
    /// Of a `token_bucket`: the most tokens it holds.
    #[schemars(extend("x-unit" = "tokens"))]
    pub(in super::super) capacity: Option<u64>,
    /// Of a `token_bucket`: tokens added per duration, continuously: `10/s`, `100/1m`.
    pub(in super::super) refill: Option<Text<Rate>>,
    /// Of a window: the most tokens in each. Of `concurrency`: the most requests in flight.
    #[schemars(extend("x-unit" = "tokens, or requests in flight"))]
    pub(in super::super) limit: Option<u64>,
    /// Of a window: how long it is.
    pub(in super::super) window: Option<Text<Micros>>,
}

impl Scalar for LegacyHeaders {
    const EXPECTED: &'static str = "`true`, `false` or `epoch`";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "false" => Ok(Self::None),
            "true" => Ok(Self::Delta),
            "epoch" => Ok(Self::Epoch),
            _ => Err(format!(
                "`{text}` is not a choice of headers: write `true`, `false` or `epoch`"
            )),
        }
    }

    fn hints() -> Value {
        json!({ "type": ["boolean", "string"], "enum": [true, false, "epoch"] })
    }
}

/// How a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Algorithm {
    /// Tokens added continuously up to a capacity.
    TokenBucket,
    /// Requests in windows of time.
    Window(Counting),
    /// Requests in flight.
    Concurrency,
}

choice!(
    Algorithm,
    "an algorithm",
    "token_bucket" => Self::TokenBucket,
    "fixed_window" => Self::Window(Counting::Fixed),
    "sliding_window" => Self::Window(Counting::Sliding),
    "sliding_log" => Self::Window(Counting::Log),
    "concurrency" => Self::Concurrency
);
