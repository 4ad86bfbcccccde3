//! `retry` of a route.

use http::Method;

use super::super::super::path::KeyPath;
use super::super::super::raw::{Budget, Hedge, List, Retry, Text};
use super::super::Check;
use crate::policy::grpc::GrpcStatus;
use crate::policy::retry::{Backoff, BudgetSpec};
use crate::policy::units::{ByteSize, Micros};
use crate::proxy::settings::{HedgeSettings, RetrySettings};

/// More attempts than any request survives.
const MAX_ATTEMPTS: u32 = 100;
/// More than this is no longer kept "in case": it is held for every request that streams.
const MAX_BODY: ByteSize = ByteSize::new(16 << 20);

pub(super) fn retry(check: &mut Check<'_>, at: &KeyPath, raw: Retry) -> Option<RetrySettings> {
    let attempts = attempts(check, at, raw.attempts);
    let backoff = backoff(check, at, &raw);
    let attempt_timeout = check.optional_timeout(at, "attempt_timeout", raw.attempt_timeout);
    let statuses = check.statuses(at, "statuses", raw.statuses);
    let grpc = check.list(at, "grpc_statuses", raw.grpc_statuses);
    let on = check.list(at, "on", raw.on);
    let methods = raw.methods.map(|listed| methods(check, at, listed));
    let max_body = max_body(check, at, raw.max_body);
    let retry_after = check.set(at, "retry_after", raw.retry_after);
    let budget = check.set(at, "budget", raw.budget);
    let budget = budget.and_then(|raw| budget_of(check, &at.key("budget"), raw));
    let methods = match methods {
        None => None,
        Some(listed) => Some(listed?),
    };
    let grpc = grpc_statuses(check, at, grpc?, methods.as_deref());
    Some(RetrySettings {
        attempts: attempts?,
        backoff: backoff?,
        attempt_timeout: attempt_timeout?,
        statuses: statuses?,
        grpc_statuses: grpc?,
        on: on?.into_iter().map(|(_, Text(trouble))| trouble).collect(),
        methods,
        max_body: max_body?,
        retry_after: retry_after?,
        budget: budget?,
    })
}

/// More copies of one request than any tail is worth.
const MAX_HEDGES: u32 = 4;

pub(super) fn hedge(check: &mut Check<'_>, at: &KeyPath, raw: Hedge) -> Option<HedgeSettings> {
    let hint = "write how long to wait for the first attempt, like `50ms`";
    let after = check.required(at, "after", raw.after, hint);
    let after = after.and_then(|after| check.timeout(at, "after", Some(after)));
    let most = check.count(at, "most", raw.most.or(Some(1)));
    if let Some(most) = most.filter(|most| *most > MAX_HEDGES) {
        let message =
            format!("`{most}` attempts beside one are more than the {MAX_HEDGES} allowed");
        return check.problem(&at.key("most"), &message);
    }
    Some(HedgeSettings {
        after: after?,
        most: most?,
    })
}

fn attempts(check: &mut Check<'_>, at: &KeyPath, raw: Option<u32>) -> Option<u32> {
    let attempts = check.count(at, "attempts", raw)?;
    if attempts > MAX_ATTEMPTS {
        let message = format!("`{attempts}` attempts are more than the {MAX_ATTEMPTS} allowed");
        return check.problem(&at.key("attempts"), &message);
    }
    Some(attempts)
}

fn backoff(check: &mut Check<'_>, at: &KeyPath, raw: &Retry) -> Option<Backoff> {
    let initial = check.span(at, "initial_delay", raw.initial_delay.clone());
    let longest = check.span(at, "max_delay", raw.max_delay.clone());
    let multiplier = check.set(at, "multiplier", raw.multiplier);
    let jitter = check.set(at, "jitter", raw.jitter.clone());
    if let Some(multiplier) = multiplier.filter(|multiplier| *multiplier < 1.0) {
        let message = format!("`{multiplier}` would make each wait shorter: write 1 or more");
        return check.problem(&at.key("multiplier"), &message);
    }
    if let (Some(initial), Some(longest)) = (initial, longest)
        && initial > longest
    {
        let message = format!("the first wait, `{initial}`, is longer already");
        return check.problem(&at.key("max_delay"), &message);
    }
    Some(Backoff {
        initial: initial.map(Micros::to_duration)?,
        multiplier: multiplier?,
        longest: longest.map(Micros::to_duration)?,
        jitter: jitter?.0,
    })
}

/// They mean something only where calls may be repeated at all.
fn grpc_statuses(
    check: &mut Check<'_>,
    at: &KeyPath,
    listed: Vec<(KeyPath, Text<GrpcStatus>)>,
    methods: Option<&[Method]>,
) -> Option<Vec<GrpcStatus>> {
    let repeats_calls = methods.is_some_and(|methods| methods.contains(&Method::POST));
    if !listed.is_empty() && !repeats_calls {
        let message = "this has no effect while `methods` does not list `POST`, which calls are";
        return check.problem(&at.key("grpc_statuses"), message);
    }
    Some(listed.into_iter().map(|(_, Text(one))| one).collect())
}

fn methods(check: &mut Check<'_>, at: &KeyPath, raw: List<Text<Method>>) -> Option<Vec<Method>> {
    let listed = check.list(at, "methods", Some(raw))?;
    Some(listed.into_iter().map(|(_, Text(method))| method).collect())
}

fn max_body(check: &mut Check<'_>, at: &KeyPath, raw: Option<Text<ByteSize>>) -> Option<usize> {
    let Text(size) = check.set(at, "max_body", raw)?;
    if size > MAX_BODY {
        let message = format!("`{size}` is more than the {MAX_BODY} that are kept of a request");
        return check.problem(&at.key("max_body"), &message);
    }
    usize::try_from(size.get()).ok()
}

fn budget_of(check: &mut Check<'_>, at: &KeyPath, raw: Budget) -> Option<BudgetSpec> {
    let share = check.share(at, "share", raw.share);
    let minimum = check.set(at, "minimum", raw.minimum);
    Some(BudgetSpec::new(share?, minimum?.0))
}
