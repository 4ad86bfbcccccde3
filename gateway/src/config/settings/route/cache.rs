//! `cache` and `purge` of a route.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderName, Method};

use super::super::super::path::KeyPath;
use super::super::super::raw::{CacheKey, List, Route, RouteCache, Text};
use super::super::super::shape::nearest;
use super::super::Check;
use crate::policy::cacheability::{KeySpec, Query, Rules};
use crate::policy::units::Micros;
use crate::proxy::settings::CacheSettings;

/// Variants of a target, unless it says.
const VARIANTS: u32 = 16;
/// More would make each keeping of one slow.
const MOST_VARIANTS: u32 = 100;

/// What is kept of a route's answers; none within when nothing is.
pub(super) fn cache(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<RouteCache>,
) -> Option<Option<CacheSettings>> {
    let Some(raw) = raw else { return Some(None) };
    let methods = methods(check, at, raw.methods);
    let (key, fields) = key(check, &at.key("key"), raw.key.unwrap_or_default());
    let mut span = |key: &str, value: Option<Text<Micros>>| -> Option<Option<Duration>> {
        match value {
            None => Some(None),
            value => check.timeout(at, key, value).map(Some),
        }
    };
    let ttl = span("ttl", raw.ttl);
    let stale_while_revalidate = span("stale_while_revalidate", raw.stale_while_revalidate);
    let stale_if_error = span("stale_if_error", raw.stale_if_error);
    let tags = tags(check, at, raw.tags);
    let variants = match raw.variants.unwrap_or(VARIANTS) {
        variants @ 1..=MOST_VARIANTS => Some(variants),
        variants => {
            let message = format!("`{variants}` variants: write 1 to {MOST_VARIANTS}");
            check.problem(&at.key("variants"), &message)
        }
    };
    Some(Some(CacheSettings {
        methods: methods?,
        key: key?,
        fields: fields?,
        rules: Rules {
            ttl: ttl?,
            stale_while_revalidate: stale_while_revalidate?,
            stale_if_error: stale_if_error?,
            ignore_authorization: raw.ignore_authorization.unwrap_or_default(),
        },
        tags: tags?,
        variants: variants?,
        obey_clients: raw.obey_clients.unwrap_or(true),
    }))
}

fn methods(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<List<Text<Method>>>,
) -> Option<Vec<Method>> {
    let Some(raw) = raw else {
        return Some(vec![Method::GET, Method::HEAD]);
    };
    let mut methods = Vec::new();
    for (place, Text(method)) in check.list(at, "methods", Some(raw))? {
        if !matches!(method, Method::GET | Method::HEAD) {
            let message = format!("answers to `{method}` are not kept: write `GET` or `HEAD`");
            return check.problem(&place, &message);
        }
        methods.push(method);
    }
    Some(methods)
}

fn key(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: CacheKey,
) -> (Option<KeySpec>, Option<Vec<HeaderName>>) {
    let query = match raw.query {
        None => Some(Query::All),
        some => check
            .list(at, "query", some)
            .map(|names| Query::Only(names.into_iter().map(|(_, name)| name).collect())),
    };
    let fields = raw.headers.or_else(|| Some(Vec::new()));
    let fields = check.list(at, "headers", fields);
    let fields = fields.map(|fields| fields.into_iter().map(|(_, Text(name))| name).collect());
    let any_host = !raw.host.unwrap_or(true);
    (query.map(|query| KeySpec { any_host, query }), fields)
}

fn tags(check: &mut Check<'_>, at: &KeyPath, raw: Option<List<String>>) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    for (place, name) in check.list(at, "tags", raw.or_else(|| Some(Vec::new())))? {
        check.name(&place, &name)?;
        tags.push(format!("tag:{name}"));
    }
    Some(tags)
}

/// What routes can be asked to purge.
pub(super) fn purgeable(routes: &List<Route>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for route in routes.iter().flatten() {
        let Some(cache) = &route.cache else { continue };
        names.extend(route.name.as_ref().map(|name| format!("route:{name}")));
        let tags = cache.tags.iter().flatten().flatten();
        names.extend(tags.map(|tag| format!("tag:{tag}")));
    }
    names
}

/// What a successful write purges.
pub(super) fn purge(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<List<String>>,
    known: &BTreeSet<String>,
) -> Option<Vec<String>> {
    let mut purged = Vec::new();
    for (place, name) in check.list(at, "purge", raw.or_else(|| Some(Vec::new())))? {
        if !known.contains(&name) {
            let hint = nearest(&name, known.iter().map(String::as_str));
            let message = format!(
                "no route keeps anything under `{name}`: write `tag:NAME` or `route:NAME`{hint}"
            );
            return check.problem(&place, &message);
        }
        purged.push(name);
    }
    Some(purged)
}
