//! `[[routes]]`, and what each of them refers to.

mod cache;
mod path;
mod retry;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use matchit::Router;

use super::super::path::KeyPath;
use super::super::raw::{List, Raw, Route, Text};
use super::super::shape::nearest;
use super::{Check, answer};
use crate::policy::ids::PolicyName;
use crate::proxy::settings::RouteSettings;

/// A table of more routes than this is generated, and belongs into a pattern.
const MAX_ROUTES: usize = 10_000;

/// The names that routes can refer to, and the capacities their costs must fit.
pub(super) struct Known {
    upstreams: BTreeSet<String>,
    limits: BTreeMap<String, Option<u64>>,
    purgeable: BTreeSet<String>,
}

impl Known {
    pub(super) fn of(raw: &Raw) -> Self {
        let limits = raw.limits.iter();
        Self {
            upstreams: raw.upstreams.keys().cloned().collect(),
            purgeable: cache::purgeable(&raw.routes),
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
    let path = path::path(check, at, raw.path, methods.as_deref(), taken);
    let rewrite = path::rewrite(check, at, raw.rewrite, path.as_deref());
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
    let retry = retry.and_then(|raw| retry::retry(check, &at.key("retry"), raw));
    let answers = answer::answers(check, &at.key("answers"), raw.answers);
    let cache = cache::cache(check, &at.key("cache"), raw.cache);
    let purge = cache::purge(check, at, raw.purge, &known.purgeable);
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
        cache: cache?,
        purge: purge?,
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
