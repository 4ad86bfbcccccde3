//! `retry` of a route.

use super::super::super::path::KeyPath;
use super::super::super::raw::Retry;
use super::super::Check;
use crate::policy::units::Micros;
use crate::proxy::settings::RetrySettings;

/// More attempts than any request survives.
const MAX_ATTEMPTS: u32 = 100;

pub(super) fn retry(check: &mut Check<'_>, at: &KeyPath, raw: Retry) -> Option<RetrySettings> {
    let attempts = check.count(at, "attempts", raw.attempts);
    let initial_delay = check.span(at, "initial_delay", raw.initial_delay);
    let max_delay = check.span(at, "max_delay", raw.max_delay);
    let multiplier = check.set(at, "multiplier", raw.multiplier);
    if let Some(attempts) = attempts.filter(|attempts| *attempts > MAX_ATTEMPTS) {
        let message = format!("`{attempts}` attempts are more than the {MAX_ATTEMPTS} allowed");
        return check.problem(&at.key("attempts"), &message);
    }
    if let Some(multiplier) = multiplier.filter(|multiplier| *multiplier < 1.0) {
        let message = format!("`{multiplier}` would make each wait shorter: write 1 or more");
        return check.problem(&at.key("multiplier"), &message);
    }
    if let (Some(initial), Some(longest)) = (initial_delay, max_delay)
        && initial > longest
    {
        let message = format!("the first wait, `{initial}`, is longer already");
        return check.problem(&at.key("max_delay"), &message);
    }
    Some(RetrySettings {
        attempts: attempts?,
        initial_delay: initial_delay.map(Micros::to_duration)?,
        multiplier: multiplier?,
        max_delay: max_delay.map(Micros::to_duration)?,
    })
}
