//! `[limits.NAME]` as written. Must not: relate one key to another.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{Algorithm, Text};
use crate::limiter::settings::{KeySettings, OnStoreFailure};
use crate::policy::units::{Micros, Rate};

/// What routes may ask of a client.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Limit {
    /// How it counts: `token_bucket`.
    pub(in super::super) algorithm: Option<Text<Algorithm>>,
    /// Whom it counts: each `client` address, or `global` for everybody together.
    pub(in super::super) key: Option<Text<KeySettings>>,
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
}
