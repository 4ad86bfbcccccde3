//! One limit as configured. Must not: take tokens.

use std::time::Duration;

use crate::policy::ids::PolicyName;
use crate::policy::limit::LimitSpec;

/// A limit that routes refer to by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// Its name in routes, headers, metrics and keys.
    pub name: PolicyName,
    /// Whom it counts.
    pub key: KeySettings,
    /// What it counts and how.
    pub spec: LimitSpec,
    /// Whether a replica may hold tokens ahead; without, every request asks the store. Of token buckets only.
    pub leases: bool,
    /// The longest a token may be held ahead: the τ of `docs/guarantees.md`.
    pub lease_lifetime: Duration,
    /// What to do when the store does not answer.
    pub on_store_failure: OnStoreFailure,
    /// Decide and count, but never refuse.
    pub shadow: bool,
    /// Whether answers also tell it in `X-RateLimit-*`.
    pub legacy_headers: LegacyHeaders,
}

/// Whether answers also tell a limit in `X-RateLimit-*`, and what `X-RateLimit-Reset` means: there was never a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LegacyHeaders {
    /// They do not.
    #[default]
    None,
    /// Seconds from the answer.
    Delta,
    /// Seconds since 1970.
    Epoch,
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
