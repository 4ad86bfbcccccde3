//! `[[routes]]`, and what each of them refers to.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use matchit::{InsertError, Router};

use super::super::path::KeyPath;
use super::super::raw::{List, Raw, Retry, Route, Text};
use super::super::shape::nearest;
use super::pattern;
use super::{Check, answer};
use crate::policy::ids::PolicyName;
use crate::policy::units::Micros;
use crate::proxy::settings::{RetrySettings, RouteSettings};

/// A table of more routes than this is generated, and belongs into a pattern.
const MAX_ROUTES: usize = 10_000;
/// More attempts than any request survives.
const MAX_ATTEMPTS: u32 = 100;

/// The names that routes can refer to, and the capacities their costs must fit.
pub(super) struct Known {
    upstreams: BTreeSet<String>,
    limits: BTreeMap<String, Option<u64>>,
}

impl Known {
    pub(super) fn of(raw: &Raw) -> Self {
        let limits = raw.limits.iter();
        Self {
            upstreams: raw.upstreams.keys().cloned().collect(),
            limits: limits
                .map(|(name, limit)| (name.clone(), limit.capacity))
                .collect(),
        }
    }
}

/// What the routes before have taken.
#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    paths: Router<()>,
    /// The methods each path answers so far; none: any.
    methods: BTreeMap<String, Option<Vec<Method>>>,
}

/// All routes, in the order written.
pub(super) fn routes(check: &mut Check<'_>, raw: List<Route>, known: &Known) -> Vec<RouteSettings> {
    let at = KeyPath::default().key("routes");
    if raw.is_empty() && !check.tree.is_faulty(&at) {
        check
            .report
            .warning("no route is configured: every request is answered with 404");
    }
    if raw.len() > MAX_ROUTES {
        let _: Option<()> = check.problem(
            &at,
            &format!(
                "{} routes are more than the {MAX_ROUTES} allowed",
                raw.len()
            ),
        );
        return Vec::new();
    }
    let mut taken = Taken::default();
    let listed = raw.into_iter().enumerate();
    listed
        .filter_map(|(index, raw)| route(check, &at.index(index), raw?, known, &mut taken))
        .collect()
}

fn route(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Route,
    known: &Known,
    taken: &mut Taken,
) -> Option<RouteSettings> {
    let name = name(check, at, raw.name, taken);
    let methods = check.list(at, "methods", raw.methods.or_else(|| Some(Vec::new())));
    let methods: Option<Vec<Method>> =
        methods.map(|listed| listed.into_iter().map(|(_, Text(method))| method).collect());
    let path = path(check, at, raw.path, methods.as_deref(), taken);
    let rewrite = rewrite(check, at, raw.rewrite, path.as_deref());
    let upstream = upstream(check, at, raw.upstream, known);
    let limits = limits(check, at, raw.limits, raw.cost, known);
    let cost = match check.set(at, "cost", raw.cost) {
        Some(0) => check.problem(
            &at.key("cost"),
            "`0` is too few: write at least 1; a route without `limits` costs nothing",
        ),
        cost => cost,
    };
    let retry = check.set(at, "retry", raw.retry);
    let retry = retry.and_then(|raw| self::retry(check, &at.key("retry"), raw));
    let answers = answer::answers(check, &at.key("answers"), raw.answers);
    Some(RouteSettings {
        name: name?.as_str().into(),
        path: path?,
        rewrite: rewrite?,
        methods: methods?,
        upstream: upstream?.as_str().into(),
        limits: limits?,
        cost: cost?,
        retry: retry?,
        answers: answers?,
    })
}

fn name(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<String>,
    taken: &mut Taken,
) -> Option<String> {
    let name = check.required(at, "name", raw, "metrics and logs call the route by it")?;
    let path = at.key("name");
    check.name(&path, &name)?;
    if !taken.names.insert(name.clone()) {
        return check.problem(&path, &format!("another route is named `{name}` already"));
    }
    Some(name)
}

fn path(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<String>,
    methods: Option<&[Method]>,
    taken: &mut Taken,
) -> Option<String> {
    let pattern = check.required(
        at,
        "path",
        raw,
        "write a pattern, like `/users/{id}` or `/proxy/{*path}`",
    )?;
    let path = at.key("path");
    if let Err(message) = pattern::well_formed(&pattern) {
        return check.problem(&path, &message);
    }
    // Methods that were wrong have been reported; they take nothing from others.
    let methods = methods.unwrap_or_default();
    if let Some(before) = taken.methods.get_mut(&pattern) {
        return match shared(before.as_deref(), methods) {
            Ok(()) => {
                before.get_or_insert_default().extend_from_slice(methods);
                Some(pattern)
            }
            Err(both) => check.problem(
                &path,
                &format!("another route answers {both} on `{pattern}` already: give each its own `methods`"),
            ),
        };
    }
    let message = match taken.paths.insert(pattern.clone(), ()) {
        Ok(()) => {
            let own = (!methods.is_empty()).then(|| methods.to_vec());
            taken.methods.insert(pattern.clone(), own);
            return Some(pattern);
        }
        Err(InsertError::Conflict { with }) => {
            format!("`{pattern}` takes the requests of `{with}`, another route's path")
        }
        Err(InsertError::InvalidParamSegment) => {
            format!("`{pattern}` has two parameters between slashes: one is possible")
        }
        Err(InsertError::InvalidCatchAll) => format!(
            "`{pattern}` goes on after a `{{*…}}`: that can only stand at the end, after a slash"
        ),
        Err(_) => format!(
            "`{pattern}` is not a pattern: write parameters like `{{id}}`, and literal braces twice"
        ),
    };
    check.problem(&path, &message)
}

/// Whether two routes can answer one path: only if no method is in both.
fn shared(before: Option<&[Method]>, methods: &[Method]) -> Result<(), String> {
    let Some(before) = before.filter(|_| !methods.is_empty()) else {
        return Err("every method".to_owned());
    };
    match methods.iter().find(|method| before.contains(method)) {
        Some(both) => Err(format!("`{both}`")),
        None => Ok(()),
    }
}

/// A rewrite, whose parameters must be those of the path.
fn rewrite(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<String>,
    pattern: Option<&str>,
) -> Option<Option<String>> {
    let Some(rewrite) = raw else {
        return Some(None);
    };
    let path = at.key("rewrite");
    let used = match pattern::well_formed(&rewrite).and_then(|()| pattern::parameters(&rewrite)) {
        Ok(used) => used,
        Err(message) => return check.problem(&path, &message),
    };
    // A path that is wrong itself says nothing about its parameters.
    let given = pattern::parameters(pattern?).unwrap_or_default();
    let given: Vec<&str> = given
        .iter()
        .map(|name| name.trim_start_matches('*'))
        .collect();
    match used.iter().find(|name| !given.contains(name)) {
        None => Some(Some(rewrite)),
        Some(name) => {
            let hint = nearest(name.trim_start_matches('*'), given.into_iter());
            check.problem(
                &path,
                &format!("`{{{name}}}` is not a parameter of the route's path{hint}"),
            )
        }
    }
}

fn upstream(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<String>,
    known: &Known,
) -> Option<String> {
    let name = check.required(
        at,
        "upstream",
        raw,
        "write the name of the upstream it goes to",
    )?;
    let defined = KeyPath::default().key("upstreams").key(&name);
    if known.upstreams.contains(&name) || check.tree.is_faulty(&defined) {
        return Some(name);
    }
    let hint = nearest(&name, known.upstreams.iter().map(String::as_str));
    check.problem(
        &at.key("upstream"),
        &format!("there is no upstream `{name}`{hint}"),
    )
}

fn limits(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<List<String>>,
    cost: Option<u64>,
    known: &Known,
) -> Option<Vec<PolicyName>> {
    let mut limits = Vec::new();
    for (place, name) in check.list(at, "limits", raw.or_else(|| Some(Vec::new())))? {
        let defined = KeyPath::default().key("limits").key(&name);
        let problem = match known.limits.get(&name) {
            None if check.tree.is_faulty(&defined) => continue,
            None => {
                let hint = nearest(&name, known.limits.keys().map(String::as_str));
                format!("there is no limit `{name}`{hint}")
            }
            Some(_) if limits.contains(&name.as_str().into()) => {
                format!("`{name}` is listed twice: leave out one")
            }
            Some(Some(capacity)) if cost > Some(*capacity) => {
                let cost = cost.unwrap_or_default();
                format!(
                    "a request costs {cost} tokens and `{name}` holds {capacity}: every request would be refused"
                )
            }
            Some(_) => {
                limits.push(name.as_str().into());
                continue;
            }
        };
        let _: Option<()> = check.problem(&place, &problem);
    }
    Some(limits)
}

fn retry(check: &mut Check<'_>, at: &KeyPath, raw: Retry) -> Option<RetrySettings> {
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
