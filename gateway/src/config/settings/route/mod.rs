//! `[[routes]]`, and what each of them refers to.

mod cache;
mod compression;
mod cors;
mod matching;
mod mirror;
mod path;
mod retry;
mod target;

pub(super) use target::upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::path::KeyPath;
use super::super::raw::{Limit, List, Raw, Route};
use super::super::shape::nearest;
use super::{Check, answer, header};
use matching::Matching;
use target::Written;

use crate::policy::ids::PolicyName;
use crate::proxy::settings::RouteSettings;

/// A table of more routes than this is generated, and belongs into a pattern.
const MAX_ROUTES: usize = 10_000;

/// The names that routes can refer to, and the capacities their costs must fit.
pub(super) struct Known {
    auth: BTreeSet<String>,
    upstreams: BTreeSet<String>,
    limits: BTreeMap<String, Option<u64>>,
    purgeable: BTreeSet<String>,
}

impl Known {
    pub(super) fn of(raw: &Raw) -> Self {
        let limits = raw.limits.iter();
        Self {
            auth: raw.auth.keys().cloned().collect(),
            upstreams: raw.upstreams.keys().cloned().collect(),
            purgeable: cache::purgeable(&raw.routes),
            limits: limits
                .map(|(name, limit)| (name.clone(), least(limit)))
                .collect(),
        }
    }
}

/// The capacity of a limit's smallest bucket.
fn least(limit: &Limit) -> Option<u64> {
    let plans = limit.plans.iter().flatten();
    let capacities = plans.filter_map(|(_, plan)| plan.capacity.or(plan.limit));
    capacities.chain(limit.capacity.or(limit.limit)).min()
}

impl Known {
    /// The ways in of those names.
    fn auth(
        &self,
        check: &mut Check<'_>,
        at: &KeyPath,
        raw: Option<List<String>>,
    ) -> Option<Vec<Arc<str>>> {
        let mut auth = Vec::new();
        for (place, name) in check.list(at, "auth", raw.or_else(|| Some(Vec::new())))? {
            let defined = KeyPath::default().key("auth").key(&name);
            if self.auth.contains(&name) {
                auth.push(name.into());
            } else if !check.tree.is_faulty(&defined) {
                let hint = nearest(&name, self.auth.iter().map(String::as_str));
                let message = format!("there is no auth `{name}`{hint}");
                // A route that would have stood open must not start.
                return check.problem(&place, &message);
            }
        }
        Some(auth)
    }
}

/// What the routes before have taken.
#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    paths: path::TakenPaths,
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
    mut raw: Route,
    known: &Known,
    taken: &mut Taken,
) -> Option<RouteSettings> {
    let target = Written::of(&mut raw);
    let name = name(check, at, raw.name, taken);
    let matching = Matching::new(check, at, raw.hosts, raw.headers, raw.methods);
    let path = path::path(check, at, raw.path, &matching, &mut taken.paths);
    let onward = path::onward(check, at, raw.rewrite, raw.strip_prefix, path.as_deref());
    let led = target.checked(check, at, path.as_deref(), known);
    let auth = known.auth(check, at, raw.auth);
    let limits = limits(check, at, raw.limits, raw.cost, known);
    let cost = match check.set(at, "cost", raw.cost) {
        Some(0) => check.problem(
            &at.key("cost"),
            "`0` is too few: write at least 1; a route without `limits` costs nothing",
        ),
        cost => cost,
    };
    let timeout = check.optional_timeout(at, "timeout", raw.timeout);
    let retry = check.set(at, "retry", raw.retry);
    let retry = retry.and_then(|raw| retry::retry(check, &at.key("retry"), raw));
    let cache = cache::cache(check, &at.key("cache"), raw.cache);
    let purge = cache::purge(check, at, raw.purge, &known.purgeable);
    let hedge = raw
        .hedge
        .map(|raw| retry::hedge(check, &at.key("hedge"), raw));
    let answers = answer::of_route(check, &at.key("answers"), raw.answers);
    let request_headers = header::edits(check, &at.key("request_headers"), raw.request_headers);
    let response_headers = header::edits(check, &at.key("response_headers"), raw.response_headers);
    let mirror = mirror::mirror(check, &at.key("mirror"), raw.mirror, known);
    let own_methods = matching.methods.as_deref().unwrap_or_default();
    let cors = cors::cors(check, &at.key("cors"), raw.cors, own_methods);
    let compression = compression::compression(check, &at.key("compression"), raw.compression);
    let (led, onward) = (led?, onward?);
    Some(RouteSettings {
        name: name?.as_str().into(),
        hosts: matching.hosts?,
        path: path?,
        rewrite: onward.rewrite,
        strip_prefix: onward.strip_prefix,
        headers: matching.headers?,
        methods: matching.methods?,
        target: led.target,
        https: led.https,
        auth: auth?,
        limits: limits?,
        cost: cost?,
        timeout: timeout?,
        max_body_bytes: raw.max_body_bytes.map(|size| size.0.get()),
        retry: retry?,
        hedge: hedge.flatten(),
        answers: answers?,
        cache: cache?,
        purge: purge?,
        request_headers: request_headers?,
        response_headers: response_headers?,
        mirror: mirror?,
        cors: cors?,
        compression: compression?,
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
