//! `[limits.NAME]`.

use std::time::Duration;

use super::super::path::KeyPath;
use super::super::raw::{Algorithm, Limit, Text};
use super::Check;
use crate::limiter::settings::PolicySettings;
use crate::policy::token_bucket::{BucketSpec, SpecError};
use crate::policy::units::Micros;

/// A token held longer than this would be forgotten rather than held ahead.
const MAX_LEASE: Duration = Duration::from_secs(10);

/// One limit.
pub(super) fn limit(
    check: &mut Check<'_>,
    at: &KeyPath,
    name: &str,
    raw: Limit,
) -> Option<PolicySettings> {
    let algorithm = check.set(at, "algorithm", raw.algorithm.clone());
    let bucket = bucket(check, at, &raw);
    let key = check.set(at, "key", raw.key);
    let leases = check.set(at, "leases", raw.leases);
    let lease_lifetime = lifetime(check, at, raw.lease_lifetime);
    let on_store_failure = check.set(at, "on_store_failure", raw.on_store_failure);
    let shadow = check.set(at, "shadow", raw.shadow);
    // One algorithm so far: that it was named well is all there is to know.
    let Text(Algorithm::TokenBucket) = algorithm?;
    Some(PolicySettings {
        name: name.into(),
        key: key?.0,
        bucket: bucket?,
        leases: leases?,
        lease_lifetime: lease_lifetime?,
        on_store_failure: on_store_failure?.0,
        shadow: shadow?,
    })
}

fn bucket(check: &mut Check<'_>, at: &KeyPath, raw: &Limit) -> Option<BucketSpec> {
    let capacity = check.required(
        at,
        "capacity",
        raw.capacity,
        "write the most tokens a bucket holds, like `100`",
    );
    let refill = check.required(
        at,
        "refill",
        raw.refill.clone(),
        "write tokens per duration, like `10/s`",
    );
    match BucketSpec::new(capacity?, refill?.0) {
        Ok(bucket) => Some(bucket),
        Err(error @ (SpecError::NoCapacity | SpecError::TooLarge)) => {
            check.problem(&at.key("capacity"), &error.to_string())
        }
    }
}

fn lifetime(check: &mut Check<'_>, at: &KeyPath, raw: Option<Text<Micros>>) -> Option<Duration> {
    let lifetime = check.timeout(at, "lease_lifetime", raw)?;
    if lifetime <= MAX_LEASE {
        return Some(lifetime);
    }
    let message = "this is too long to hold tokens that others may need: write `10s` or less";
    check.problem(&at.key("lease_lifetime"), message)
}
