//! `[upstreams.NAME.concurrency]` and `server.max_requests`.

use super::super::path::KeyPath;
use super::super::raw::{Adaptive, Concurrency, Server, Text};
use super::Check;
use crate::policy::gradient::GradientSpec;
use crate::policy::units::Micros;
use crate::upstream::settings::ConcurrencySettings;

/// More requests at once than a process has memory for.
const MOST: u32 = 1_000_000;
const QUEUE: u32 = 100;
const QUEUE_TIMEOUT: Micros = Micros::from_secs(1);
const LEAST: u32 = 10;
const TOLERANCE: f64 = 1.5;

/// How many requests may be in flight at an upstream.
pub(super) fn concurrency(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Concurrency,
) -> Option<ConcurrencySettings> {
    let hint = "write how many requests the upstream can work on at once, like `1000`";
    let most = check.required(at, "max", raw.max, hint);
    let most = most.and_then(|most| places(check, at, "max", most));
    let queue = raw.queue.unwrap_or(QUEUE);
    let queue = queue_of(check, at, queue);
    let timeout = raw.queue_timeout.or(Some(Text(QUEUE_TIMEOUT)));
    let timeout = check.timeout(at, "queue_timeout", timeout);
    let adaptive = raw
        .adaptive
        .map(|raw| adaptive(check, &at.key("adaptive"), &raw, most));
    let adaptive = match adaptive {
        None => None,
        Some(adaptive) => Some(adaptive?),
    };
    Some(ConcurrencySettings {
        most: most?,
        queue: queue?,
        queue_timeout: timeout?,
        adaptive,
    })
}

/// How many requests may be on their way in the whole process.
pub(super) fn max_requests(check: &mut Check<'_>, raw: &Server) -> Option<Option<u32>> {
    let at = KeyPath::default().key("server");
    match raw.max_requests {
        None => Some(None),
        Some(most) => places(check, &at, "max_requests", most).map(Some),
    }
}

fn places(check: &mut Check<'_>, at: &KeyPath, key: &str, count: u32) -> Option<u32> {
    let count = check.count(at, key, Some(count))?;
    if count > MOST {
        let message = format!("`{count}` requests at once are more than the {MOST} allowed");
        return check.problem(&at.key(key), &message);
    }
    Some(count)
}

/// A queue may be none.
fn queue_of(check: &mut Check<'_>, at: &KeyPath, queue: u32) -> Option<u32> {
    match queue {
        0 => Some(0),
        queue => places(check, at, "queue", queue),
    }
}

fn adaptive(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: &Adaptive,
    most: Option<u32>,
) -> Option<GradientSpec> {
    let most = most?;
    let least = raw.min.unwrap_or(LEAST.min(most));
    let least = check.count(at, "min", Some(least))?;
    if least > most {
        let message = format!("`{least}` is above the `max` of {most}");
        return check.problem(&at.key("min"), &message);
    }
    let tolerance = raw.tolerance.unwrap_or(TOLERANCE);
    if tolerance < 1.0 {
        let message = format!("`{tolerance}` would shrink the limit for ever: write 1 or more");
        return check.problem(&at.key("tolerance"), &message);
    }
    Some(GradientSpec {
        least,
        most,
        tolerance,
    })
}
