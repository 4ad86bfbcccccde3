//! A route's path, and what becomes of it.

use std::collections::BTreeMap;

use http::Method;

use super::super::super::path::KeyPath;
use super::super::super::shape::nearest;
use super::super::{Check, pattern};
use super::matching::Matching;
use crate::proxy::settings::{Pattern, PatternError, Segment};

/// What routes before have taken: by host, the shape of the path and headers.
pub(super) type TakenPaths = BTreeMap<(String, Vec<Segment>, String), Owner>;

/// Who took it.
pub(super) struct Owner {
    /// The path as it was written.
    path: String,
    /// The methods that are taken; none: all.
    methods: Option<Vec<Method>>,
}

/// The path, which no route before has with the same hosts, headers and methods.
pub(super) fn path(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<String>,
    matching: &Matching,
    taken: &mut TakenPaths,
) -> Option<String> {
    let hint = "write a pattern, like `/users/{id}` or `/proxy/{*path}`";
    let text = check.required(at, "path", raw, hint)?;
    let place = at.key("path");
    if let Err(message) = pattern::well_formed(&text) {
        return check.problem(&place, &message);
    }
    let shape = match Pattern::new(&text) {
        Ok(pattern) => pattern.segments,
        Err(error) => return check.problem(&place, &refused(&text, error)),
    };
    // Methods that were wrong have been reported; they take nothing from others.
    let methods = matching.methods.as_deref().unwrap_or_default();
    let mut free = Ok(());
    for host in matching.host_names() {
        let key = (host, shape.clone(), matching.header_text());
        free = free.and(take(taken, key, &text, methods));
    }
    match free {
        Ok(()) => Some(text),
        Err(message) => check.problem(&place, &message),
    }
}

fn refused(text: &str, error: PatternError) -> String {
    match error {
        PatternError::TwoInASegment => {
            format!("`{text}` has two parameters between slashes: one is possible")
        }
        PatternError::CatchAll => format!(
            "`{text}` goes on after a `{{*…}}`: that can only stand at the end, after a slash"
        ),
        PatternError::TooMany => format!("`{text}`: {error}"),
        PatternError::Malformed => format!(
            "`{text}` is not a pattern: write parameters like `{{id}}`, each once, and literal braces twice"
        ),
    }
}

fn take(
    taken: &mut TakenPaths,
    key: (String, Vec<Segment>, String),
    text: &str,
    methods: &[Method],
) -> Result<(), String> {
    let own = || (!methods.is_empty()).then(|| methods.to_vec());
    let Some(before) = taken.get_mut(&key) else {
        let path = text.to_owned();
        let methods = own();
        taken.insert(key, Owner { path, methods });
        return Ok(());
    };
    match (&mut before.methods, own()) {
        (Some(before), Some(own)) if !own.iter().any(|method| before.contains(method)) => {
            before.extend(own);
            Ok(())
        }
        (owned, _) if before.path == text => {
            let both = owned.iter().flatten().find(|one| methods.contains(one));
            let both = both.map_or_else(|| "every method".to_owned(), |both| format!("`{both}`"));
            Err(format!(
                "another route answers {both} on `{text}` already: give each its own `methods`, `hosts` or `headers`"
            ))
        }
        _ => Err(format!(
            "`{text}` takes the requests of `{}`, another route's path",
            before.path
        )),
    }
}

/// What the path becomes on its way upstream.
pub(super) struct Onward {
    pub(super) rewrite: Option<String>,
    pub(super) strip_prefix: Option<String>,
}

pub(super) fn onward(
    check: &mut Check<'_>,
    at: &KeyPath,
    rewrite: Option<String>,
    strip_prefix: Option<String>,
    path: Option<&str>,
) -> Option<Onward> {
    if rewrite.is_some() && strip_prefix.is_some() {
        let message = "`rewrite` makes the whole path: leave out one of the two";
        return check.problem(&at.key("strip_prefix"), message);
    }
    let rewrite = self::rewrite(check, at, rewrite, path);
    let strip_prefix = strip(check, at, strip_prefix, path);
    Some(Onward {
        rewrite: rewrite?,
        strip_prefix: strip_prefix?,
    })
}

/// A prefix, which every path of the route must have.
fn strip(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<String>,
    path: Option<&str>,
) -> Option<Option<String>> {
    let Some(prefix) = raw else {
        return Some(None);
    };
    let place = at.key("strip_prefix");
    if let Err(message) = pattern::well_formed(&prefix) {
        return check.problem(&place, &message);
    }
    let bare = prefix.trim_end_matches('/');
    if bare.contains(['{', '}']) {
        let message = format!("`{prefix}` holds braces: use `rewrite` for paths with parameters");
        return check.problem(&place, &message);
    }
    let rest = path?.strip_prefix(bare);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Some(Some(prefix));
    }
    let message = format!("the route's path does not begin with `{prefix}`");
    check.problem(&place, &message)
}

/// A rewrite, whose parameters must be those of the path.
fn rewrite(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<String>,
    path: Option<&str>,
) -> Option<Option<String>> {
    let Some(rewrite) = raw else {
        return Some(None);
    };
    let place = at.key("rewrite");
    let used = match pattern::well_formed(&rewrite).and_then(|()| pattern::parameters(&rewrite)) {
        Ok(used) => used,
        Err(message) => return check.problem(&place, &message),
    };
    // A path that is wrong itself says nothing about its parameters.
    let given = pattern::parameters(path?).unwrap_or_default();
    let given: Vec<&str> = given
        .iter()
        .map(|name| name.trim_start_matches('*'))
        .collect();
    match used.iter().find(|name| !given.contains(name)) {
        None => Some(Some(rewrite)),
        Some(name) => {
            let hint = nearest(name.trim_start_matches('*'), given.into_iter());
            check.problem(
                &place,
                &format!("`{{{name}}}` is not a parameter of the route's path{hint}"),
            )
        }
    }
}
