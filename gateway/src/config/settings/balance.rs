//! The choice of endpoints: `[upstreams.NAME]`'s `balance`, `ejection`, `health` and `dns`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use http::HeaderValue;
use http::uri::{Authority, PathAndQuery};

use super::super::path::KeyPath;
use super::super::raw::{Balance, Checks, Dns, Ejection, Text, Upstream};
use super::Check;
use crate::policy::balance::Weight;
use crate::policy::balance::ejection::EjectionSpec;
use crate::policy::units::Micros;
use crate::upstream::settings::{BalanceSettings, DnsSettings, HashKey, HealthSettings, Rule};

/// Weights are relative: a hundredth is the least share beside another.
pub(super) const HEAVIEST: Weight = 100;

const NO_HASH: &str = r#"this has no effect without `balance = "hash"`"#;

/// Which endpoint is next, and which may be.
pub(super) fn balance(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: &mut Upstream,
) -> Option<BalanceSettings> {
    let rule = rule(check, at, raw);
    let slow_start = check.span(at, "slow_start", raw.slow_start.take());
    let panic_threshold = panic_threshold(check, at, raw.panic_threshold);
    let ejection = check.set(at, "ejection", raw.ejection.take());
    let ejection = ejection.and_then(|raw| ejection_spec(check, &at.key("ejection"), raw));
    Some(BalanceSettings {
        rule: rule?,
        slow_start: slow_start?.to_duration(),
        ejection: ejection?,
        panic_threshold: panic_threshold?,
    })
}

fn rule(check: &mut Check<'_>, at: &KeyPath, raw: &mut Upstream) -> Option<Rule> {
    let balance = check.set(at, "balance", raw.balance.take());
    let key = check.set(at, "hash", raw.hash.take());
    let bound = bound(check, at, raw.hash_bound);
    let (Text(balance), Text(key), bound) = (balance?, key?, bound?);
    if balance != Balance::Hash && key != HashKey::Client {
        return check.problem(&at.key("hash"), NO_HASH);
    }
    if balance != Balance::Hash && bound.is_some() {
        return check.problem(&at.key("hash_bound"), NO_HASH);
    }
    Some(match balance {
        Balance::RoundRobin => Rule::RoundRobin,
        Balance::LeastLoaded => Rule::LeastLoaded,
        Balance::Hash => Rule::Hash { key, bound },
    })
}

/// None if it is wrong, `Some(None)` if there is none.
fn bound(check: &mut Check<'_>, at: &KeyPath, raw: Option<f64>) -> Option<Option<f64>> {
    match raw {
        Some(bound) if !(1.0..=100.0).contains(&bound) => {
            let message =
                format!("`{bound}` is not a multiple of a fair share: write 1 to 100, like `1.5`");
            check.problem(&at.key("hash_bound"), &message)
        }
        bound => Some(bound),
    }
}

fn panic_threshold(check: &mut Check<'_>, at: &KeyPath, raw: Option<f64>) -> Option<f64> {
    let share = check.set(at, "panic_threshold", raw)?;
    if (0.0..=1.0).contains(&share) {
        return Some(share);
    }
    let message = format!("`{share}` is not a share: write a number from 0 to 1");
    check.problem(&at.key("panic_threshold"), &message)
}

/// None if it is wrong, `Some(None)` if nothing is ever left out.
fn ejection_spec(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Ejection,
) -> Option<Option<EjectionSpec>> {
    let failures = check.set(at, "failures", raw.failures);
    let base = check.wait(at, "base", raw.base);
    let max_share = check.share(at, "max_share", raw.max_share);
    let spec = EjectionSpec {
        failures: failures?,
        base: base?,
        max_share: max_share?,
    };
    Some((spec.failures > 0).then_some(spec))
}

/// None if it is wrong, `Some(None)` if nothing is asked.
pub(super) fn health(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Checks,
) -> Option<Option<HealthSettings>> {
    let interval = check.timeout(at, "interval", raw.interval);
    let timeout = check.timeout(at, "timeout", raw.timeout);
    let healthy = check.count(at, "healthy", raw.healthy);
    let unhealthy = check.count(at, "unhealthy", raw.unhealthy);
    let statuses: Option<Vec<RangeInclusive<u16>>> = check
        .list(at, "statuses", raw.statuses)
        .map(|listed| listed.into_iter().map(|(_, one)| one.0.0).collect());
    if statuses.as_ref().is_some_and(Vec::is_empty) && !check.tree.is_faulty(&at.key("statuses")) {
        return check.problem(&at.key("statuses"), "this is empty: no check could pass");
    }
    let host = match raw.host.as_deref() {
        None => None,
        Some(host) => Some(host_of(check, at, host)?),
    };
    let Some(path) = raw.path else {
        return Some(None);
    };
    let path = match path.parse::<PathAndQuery>() {
        Ok(parsed) if path.starts_with('/') => parsed,
        _ => {
            let message = format!("`{path}` is not a path: write one like `/healthz`");
            return check.problem(&at.key("path"), &message);
        }
    };
    Some(Some(HealthSettings {
        path,
        host,
        interval: interval?,
        timeout: timeout?,
        healthy: healthy?,
        unhealthy: unhealthy?,
        statuses: statuses?,
    }))
}

/// A host, perhaps with a port: it is an authority under HTTP/2.
fn host_of(check: &mut Check<'_>, at: &KeyPath, host: &str) -> Option<HeaderValue> {
    let is_sound = host.parse::<Authority>().is_ok() && !host.contains('@');
    match HeaderValue::from_str(host) {
        Ok(value) if is_sound => Some(value),
        _ => {
            let message = format!("`{host}` is not a host: write one like `service.example`");
            check.problem(&at.key("host"), &message)
        }
    }
}

/// How names become addresses.
pub(super) fn dns(check: &mut Check<'_>, at: &KeyPath, raw: Dns) -> Option<DnsSettings> {
    let refresh = check.wait(at, "refresh", raw.refresh);
    let timeout = check.timeout(at, "timeout", raw.timeout);
    let family = check.set(at, "family", raw.family);
    let servers: Option<Vec<SocketAddr>> = check
        .list(at, "servers", raw.servers)
        .map(|listed| listed.into_iter().map(|(_, one)| one.0.0).collect());
    Some(DnsSettings {
        refresh: refresh.map(Micros::to_duration)?,
        timeout: timeout?,
        servers: servers?,
        family: family?.0,
    })
}
