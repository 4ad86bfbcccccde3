//! A route's path and rewrite.

use http::Method;
use matchit::InsertError;

use super::super::super::path::KeyPath;
use super::super::super::shape::nearest;
use super::super::{Check, pattern};
use super::Taken;

pub(super) fn path(
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
pub(super) fn rewrite(
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
