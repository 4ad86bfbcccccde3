//! `[limits.NAME]`.

use std::time::Duration;

use super::super::path::KeyPath;
use super::super::raw::{Algorithm, Exempt, Limit, List, OneOrMany, Text};
use super::Check;
use super::auth::networks;
use crate::limiter::settings::{
    KeyPart, KeySettings, LegacyHeaders, OnStoreFailure, PolicySettings,
};
use crate::policy::concurrency::{SlotsError, SlotsSpec};
use crate::policy::limit::LimitSpec;
use crate::policy::token_bucket::{BucketSpec, SpecError};
use crate::policy::units::Micros;
use crate::policy::window::{Counting, WindowError, WindowSpec};
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
    let own = limit(check, at, name, raw.clone());
    let raw = shared(raw);
    let mut limits = Vec::new();
    let mut plans = Vec::new();
    let mut figures = raw.plans.clone().unwrap_or_default();
    if figures.len() > MOST_PLANS {
        let message = format!("more than the {MOST_PLANS} plans allowed");
        let _: Option<()> = check.problem(&at.key("plans"), &message);
        figures.clear();
    }
    if raw.algorithm.is_none() {
        // What figures mean depends on it.
        figures.clear();
    }
    for (plan, figures) in figures {
        let at = at.key("plans").key(&plan);
        check.name(&at, &plan)?;
        let variant = Limit {
            capacity: figures.capacity.or(raw.capacity),
            refill: figures.refill.or_else(|| raw.refill.clone()),
            limit: figures.limit.or(raw.limit),
            window: figures.window.or_else(|| raw.window.clone()),
            ..raw.clone()
        };
        let variant = limit(check, &at, &format!("{name}@{plan}"), variant);
        if let Some(variant) = variant {
            plans.push((plan.into(), variant.name.clone()));
            limits.push(variant);
        }
    }
    let own = own?;
    let counting = CountingSettings {
        limit: own.name.clone(),
        exempt: exempt?,
        plans,
    };
    limits.insert(0, own);
    Some(Family { limits, counting })
}

/// What a plan takes from its limit. What of it is wrong was reported there, and is not to be missed here.
fn shared(mut raw: Limit) -> Limit {
    raw.key
        .get_or_insert_with(|| OneOrMany(vec![KeyPart::Client]));
    raw.on_store_failure
        .get_or_insert(Text(OnStoreFailure::Degrade));
    raw.shadow.get_or_insert(false);
    raw.legacy_headers.get_or_insert(Text(LegacyHeaders::None));
    raw.leases.get_or_insert(false);
    raw
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
    let key = check.set(at, "key", raw.key.clone());
    let on_store_failure = check.set(at, "on_store_failure", raw.on_store_failure.clone());
    let shadow = check.set(at, "shadow", raw.shadow);
    let legacy_headers = check.set(at, "legacy_headers", raw.legacy_headers.clone());
    // What the other keys mean depends on it.
    let Text(algorithm) = algorithm?;
    let own = foreign(check, at, algorithm, &raw);
    let spec = match algorithm {
        Algorithm::TokenBucket => bucket(check, at, &raw).map(LimitSpec::from),
        Algorithm::Window(counting) => window(check, at, counting, &raw).map(LimitSpec::from),
        Algorithm::Concurrency => slots(check, at, &raw).map(LimitSpec::from),
    };
    let (leases, lease_lifetime) = match algorithm {
        Algorithm::TokenBucket => (
            check.set(at, "leases", raw.leases),
            lifetime(check, at, raw.lease_lifetime),
        ),
        // Nothing is held ahead, so nothing for long.
        Algorithm::Window(_) | Algorithm::Concurrency => (Some(false), Some(Duration::ZERO)),
    };
    own?;
    Some(PolicySettings {
        name: name.into(),
        key: KeySettings::of(key?.0),
        spec: spec?,
        leases: leases?,
        lease_lifetime: lease_lifetime?,
        on_store_failure: on_store_failure?.0,
        shadow: shadow?,
        legacy_headers: legacy_headers?.0,
    })
}

/// Reports the keys that belong to other algorithms. Defaults that do not belong were taken out before, so these were written.
fn foreign(check: &mut Check<'_>, at: &KeyPath, algorithm: Algorithm, raw: &Limit) -> Option<()> {
    let written = [
        ("capacity", raw.capacity.is_some()),
        ("refill", raw.refill.is_some()),
        // To write that nothing is held ahead is true of all.
        ("leases", raw.leases == Some(true)),
        ("lease_lifetime", raw.lease_lifetime.is_some()),
        ("limit", raw.limit.is_some()),
        ("window", raw.window.is_some()),
        ("lease", raw.lease.is_some()),
    ];
    let (name, own) = match algorithm {
        Algorithm::TokenBucket => (
            "a `token_bucket`",
            &["capacity", "refill", "leases", "lease_lifetime"][..],
        ),
        Algorithm::Window(Counting::Fixed) => ("a `fixed_window`", &["limit", "window"][..]),
        Algorithm::Window(Counting::Sliding) => ("a `sliding_window`", &["limit", "window"][..]),
        Algorithm::Window(Counting::Log) => ("a `sliding_log`", &["limit", "window"][..]),
        Algorithm::Concurrency => ("`concurrency`", &["limit", "lease"][..]),
    };
    let mut only_own = Some(());
    for (key, is_written) in written {
        if is_written && !own.contains(&key) {
            let own: Vec<_> = own.iter().map(|key| format!("`{key}`")).collect();
            let own = own.join(", ");
            let message = format!("this does not belong to {name}, which has {own}: leave it out");
            only_own = check.problem(&at.key(key), &message);
        }
    }
    only_own
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

fn window(
    check: &mut Check<'_>,
    at: &KeyPath,
    counting: Counting,
    raw: &Limit,
) -> Option<WindowSpec> {
    let limit = check.required(
        at,
        "limit",
        raw.limit,
        "write the most tokens in a window, like `100`",
    );
    let window = check.required(
        at,
        "window",
        raw.window.clone(),
        "write how long a window is, like `1m`",
    );
    match WindowSpec::new(counting, limit?, window?.0) {
        Ok(window) => Some(window),
        Err(error @ WindowError::Window) => check.problem(&at.key("window"), &error.to_string()),
        Err(error) => check.problem(&at.key("limit"), &error.to_string()),
    }
}

fn slots(check: &mut Check<'_>, at: &KeyPath, raw: &Limit) -> Option<SlotsSpec> {
    let limit = check.required(
        at,
        "limit",
        raw.limit,
        "write the most requests in flight, like `10`",
    );
    let lease = check.set(at, "lease", raw.lease.clone());
    match SlotsSpec::new(limit?, lease?.0) {
        Ok(slots) => Some(slots),
        Err(error @ SlotsError::Limit) => check.problem(&at.key("limit"), &error.to_string()),
        Err(error @ SlotsError::Lease) => check.problem(&at.key("lease"), &error.to_string()),
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
