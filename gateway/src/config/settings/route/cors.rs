//! `cors` of a route.

use std::time::Duration;

use http::{HeaderName, Method, Uri};

use super::super::super::path::KeyPath;
use super::super::super::raw::{Cors, List, Text};
use super::super::{Check, header};
use crate::policy::units::Micros;
use crate::proxy::settings::{CorsHeaders, CorsOrigin, CorsOrigins, CorsSettings};

const MAX_AGE: Duration = Duration::from_secs(600);

/// What a route that takes any method shares when nothing else is said.
static USUAL: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// The sharing of a route that takes `methods`.
pub(super) fn cors(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<Cors>,
    methods: &[Method],
) -> Option<Option<CorsSettings>> {
    let Some(raw) = raw else {
        return Some(None);
    };
    let origins = origins(check, at, raw.origins);
    let methods = match raw.methods {
        None if methods.is_empty() => Some(USUAL.to_vec()),
        None => Some(methods.to_vec()),
        listed => check.list(at, "methods", listed).map(|listed| {
            let methods = listed.into_iter().map(|(_, Text(method))| method);
            methods.collect()
        }),
    };
    let headers = headers(check, at, raw.headers);
    let expose = header::names(check, at, "expose", raw.expose);
    let credentials = raw.credentials.unwrap_or(false);
    let max_age = raw
        .max_age
        .map_or(MAX_AGE, |Text(age)| Micros::to_duration(age));
    let origins = origins?;
    if credentials && origins == CorsOrigins::Any {
        let message = "`*` lets every site act as whoever visits it: name the origins that may send credentials";
        return check.problem(&at.key("origins"), message);
    }
    Some(Some(CorsSettings {
        origins,
        methods: methods?,
        headers: headers?,
        expose: expose?,
        credentials,
        max_age,
    }))
}

fn origins(check: &mut Check<'_>, at: &KeyPath, raw: Option<List<String>>) -> Option<CorsOrigins> {
    let hint = "write who may, like `https://app.example.com`";
    let raw = check.required(at, "origins", raw, hint)?;
    let listed = check.list(at, "origins", Some(raw))?;
    if let [(_, any)] = &listed[..]
        && any == "*"
    {
        return Some(CorsOrigins::Any);
    }
    if listed.is_empty() && !check.tree.is_faulty(&at.key("origins")) {
        return check.problem(&at.key("origins"), "this is empty: nobody could be let in");
    }
    let mut origins = Vec::new();
    for (place, text) in listed {
        match origin(&text) {
            Some(origin) => origins.push(origin),
            None => {
                let message = format!(
                    "`{text}` is not an origin: write scheme, host and port, like `https://app.example.com` or `https://*.example.com`, or `*` alone"
                );
                let _: Option<()> = check.problem(&place, &message);
            }
        }
    }
    Some(CorsOrigins::These(origins))
}

/// As browsers send them: in lower case, without the port of the scheme, without a path.
fn origin(text: &str) -> Option<CorsOrigin> {
    let plain = text.to_ascii_lowercase();
    let (scheme, host) = plain.split_once("://")?;
    let known = scheme
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let usual = (scheme == "https" && host.ends_with(":443"))
        || (scheme == "http" && host.ends_with(":80"));
    if scheme.is_empty() || !known || usual {
        return None;
    }
    let (below, name) = match host.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, host),
    };
    let uri: Uri = format!("http://{name}").parse().ok()?;
    let whole = uri.authority()?.as_str() == name && !name.contains(['@', '*']);
    if !whole || uri.host().is_none_or(str::is_empty) {
        return None;
    }
    Some(if below {
        CorsOrigin::Below {
            scheme: format!("{scheme}://").into(),
            domain: format!(".{name}").into(),
        }
    } else {
        CorsOrigin::Exact(plain.into())
    })
}

fn headers(check: &mut Check<'_>, at: &KeyPath, raw: Option<List<String>>) -> Option<CorsHeaders> {
    if raw
        .as_ref()
        .is_some_and(|listed| matches!(&listed[..], [Some(any)] if any == "*"))
    {
        return Some(CorsHeaders::Any);
    }
    let listed = check.list(at, "headers", raw.or_else(|| Some(Vec::new())))?;
    let mut names: Vec<HeaderName> = Vec::new();
    for (place, text) in listed {
        match text.parse() {
            Ok(name) => names.push(name),
            Err(_) => {
                let message = format!("`{text}` is not the name of a header");
                return check.problem(&place, &message);
            }
        }
    }
    Some(CorsHeaders::These(names))
}
