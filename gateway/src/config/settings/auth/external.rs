//! `[auth.NAME] external`.

use http::HeaderName;
use http::uri::PathAndQuery;

use super::super::super::path::KeyPath;
use super::super::super::raw::{External, List, Text};
use super::super::{Check, route};
use super::{Around, ours};
use crate::proxy::settings::ExternalSettings;

/// A service that is asked.
pub(super) fn external(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: External,
    around: Around<'_>,
) -> Option<ExternalSettings> {
    let hint = "write the name of the upstream that is asked";
    let upstream = check.required(at, "upstream", raw.upstream, hint);
    let upstream =
        upstream.and_then(|name| route::upstream(check, &at.key("upstream"), &name, around.known));
    let path = check.set(at, "path", raw.path);
    let path = path.and_then(|path| match path.parse::<PathAndQuery>() {
        Ok(target) if path.starts_with('/') => Some(target),
        _ => check.problem(
            &at.key("path"),
            &format!("`{path}` is not a path: write one like `/check`"),
        ),
    });
    let timeout = check.timeout(at, "timeout", raw.timeout);
    let on_failure = check.set(at, "on_failure", raw.on_failure);
    let request_headers = names(check, at, "request_headers", raw.request_headers);
    let mut response_headers = Vec::new();
    let key = "response_headers";
    for (place, Text(name)) in check.list(at, key, raw.response_headers)? {
        response_headers.push(ours(check, &place, name)?);
    }
    Some(ExternalSettings {
        upstream: upstream?,
        path: path?,
        timeout: timeout?,
        on_failure: on_failure?.0,
        request_headers: request_headers?,
        response_headers,
    })
}

fn names(
    check: &mut Check<'_>,
    at: &KeyPath,
    key: &str,
    raw: Option<List<Text<HeaderName>>>,
) -> Option<Vec<HeaderName>> {
    let listed = check.list(at, key, raw)?;
    Some(listed.into_iter().map(|(_, Text(name))| name).collect())
}
