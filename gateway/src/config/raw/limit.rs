//! `[limits.NAME]` as written. Must not: relate one key to another.

use std::collections::BTreeMap;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::scalar::{Algorithm, Text};
use super::several::OneOrMany;
use crate::limiter::settings::{KeyPart, OnStoreFailure};
use crate::policy::units::{Micros, Rate};

/// What routes may ask of a client.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Limit {
    /// How it counts: `token_bucket`.
    pub(in super::super) algorithm: Option<Text<Algorithm>>,
    /// Whom it counts: each `client` address, `global` (everybody together), each `route`, `api_key`, `subject`, `header:NAME`,
    /// `cookie:NAME`, `claim:NAME` or `path:PARAMETER`, or several of them together as a list. A request without one counts by its address.
    pub(in super::super) key: Option<OneOrMany<KeyPart>>,
    /// The most tokens a bucket holds.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) capacity: Option<u64>,
    /// Tokens added per duration, continuously: `10/s`, `100/1m`.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) refill: Option<Text<Rate>>,
    /// Whether a replica may hold tokens ahead; without, every request asks the store.
    pub(in super::super) leases: Option<bool>,
    /// The longest a token may be held ahead.
    pub(in super::super) lease_lifetime: Option<Text<Micros>>,
    /// When the store does not answer: `degrade` to local buckets of a replica's share, `allow`, or `deny`.
    pub(in super::super) on_store_failure: Option<Text<OnStoreFailure>>,
    /// Decide and count, but never refuse.
    pub(in super::super) shadow: Option<bool>,
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
    /// Requests whose key is one of these, as the request says it.
    pub(in super::super) keys: Option<List<String>>,
    /// Requests that turned out to be from one of these.
    pub(in super::super) subjects: Option<List<String>>,
}

/// The figures of one plan; what it leaves out is the limit's own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Plan {
    /// The most tokens a bucket holds.
    pub(in super::super) capacity: Option<u64>,
    /// Tokens added per duration, continuously: `10/s`, `100/1m`.
    pub(in super::super) refill: Option<Text<Rate>>,
}
