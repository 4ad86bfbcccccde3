//! `[limits.NAME]`.

use std::time::Duration;

use super::super::path::KeyPath;
use super::super::raw::{Algorithm, Exempt, Limit, List, Text};
use super::Check;
use super::auth::networks;
use crate::limiter::settings::{KeySettings, PolicySettings};
use crate::policy::token_bucket::{BucketSpec, SpecError};
use crate::policy::units::Micros;
use crate::proxy::settings::{CountingSettings, ExemptSettings};

/// Plans of one limit: each is a limit in every metric and every console.
const MOST_PLANS: usize = 32;
/// A token held longer than this would be forgotten rather than held ahead.
const MAX_LEASE: Duration = Duration::from_secs(10);

/// A limit with its plans.
pub(super) struct Family {
    /// The limit itself, then a limit for each plan.
    pub(super) limits: Vec<PolicySettings>,
    pub(super) counting: CountingSettings,
}

/// One limit, its plans, and who is exempt.
pub(super) fn family(
    check: &mut Check<'_>,
    at: &KeyPath,
    name: &str,
    raw: Limit,
) -> Option<Family> {
    let exempt = exempt(check, &at.key("exempt"), raw.exempt.clone());
    let mut limits = Vec::new();
    let mut plans = Vec::new();
    let mut figures = raw.plans.clone().unwrap_or_default();
    if figures.len() > MOST_PLANS {
        let message = format!("more than the {MOST_PLANS} plans allowed");
        let _: Option<()> = check.problem(&at.key("plans"), &message);
        figures.clear();
    }
    for (plan, figures) in figures {
        let at = at.key("plans").key(&plan);
        check.name(&at, &plan)?;
        let variant = Limit {
            capacity: figures.capacity.or(raw.capacity),
            refill: figures.refill.or_else(|| raw.refill.clone()),
            ..raw.clone()
        };
        let variant = limit(check, &at, &format!("{name}@{plan}"), variant);
        if let Some(variant) = variant {
            plans.push((plan.into(), variant.name.clone()));
            limits.push(variant);
        }
    }
    let own = limit(check, at, name, raw)?;
    let counting = CountingSettings {
        limit: own.name.clone(),
        exempt: exempt?,
        plans,
    };
    limits.insert(0, own);
    Some(Family { limits, counting })
}

fn exempt(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<Exempt>,
) -> Option<Option<ExemptSettings>> {
    let Some(raw) = raw else { return Some(None) };
    let mut texts = |key: &str, list: Option<List<String>>| -> Option<Vec<String>> {
        let listed = check.list(at, key, list.or_else(|| Some(Vec::new())))?;
        Some(listed.into_iter().map(|(_, text)| text).collect())
    };
    let keys = texts("keys", raw.keys);
    let subjects = texts("subjects", raw.subjects);
    let addresses = raw.addresses.or_else(|| Some(Vec::new()));
    let addresses = networks(check, at, "addresses", addresses);
    Some(Some(ExemptSettings {
        addresses: addresses?,
        keys: keys?,
        subjects: subjects?,
    }))
}

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
        key: KeySettings::of(key?.0),
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
