//! One limit as configured. Must not: take tokens.

use std::time::Duration;

use crate::policy::ids::PolicyName;
use crate::policy::token_bucket::BucketSpec;

/// A limit that routes refer to by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// Its name in routes, headers, metrics and keys.
    pub name: PolicyName,
    /// Whom it counts.
    pub key: KeySettings,
    /// Capacity and refill.
    pub bucket: BucketSpec,
    /// Whether a replica may hold tokens ahead; without, every request asks the store.
    pub leases: bool,
    /// The longest a token may be held ahead: the τ of `docs/guarantees.md`.
    pub lease_lifetime: Duration,
    /// What to do when the store does not answer.
    pub on_store_failure: OnStoreFailure,
    /// Decide and count, but never refuse.
    pub shadow: bool,
}

/// Whom a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySettings {
    /// Each client address.
    Client,
    /// Everybody together.
    Global,
}

/// What to do when the store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStoreFailure {
    /// A local bucket of the limit divided by the replicas last known to live.
    Degrade,
    /// Grant.
    Allow,
    /// Refuse.
    Deny,
}
