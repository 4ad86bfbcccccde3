//! What a route asks of a request beside its path: hosts, headers, methods.

use std::collections::BTreeMap;

use http::{HeaderName, Method};

use super::super::super::path::KeyPath;
use super::super::super::raw::{List, Text, Value};
use super::super::Check;
use crate::proxy::settings::{HeaderMatch, HostPattern, ValueMatch};

/// A route that asks for more headers than this is a program.
const MAX_HEADERS: usize = 16;

/// What was written, checked; none of each where it was wrong.
pub(super) struct Matching {
    pub(super) hosts: Option<Vec<HostPattern>>,
    pub(super) headers: Option<Vec<HeaderMatch>>,
    pub(super) methods: Option<Vec<Method>>,
}

impl Matching {
    pub(super) fn new(
        check: &mut Check<'_>,
        at: &KeyPath,
        raw_hosts: Option<List<String>>,
        raw_headers: Option<BTreeMap<String, Value>>,
        raw_methods: Option<List<Text<Method>>>,
    ) -> Self {
        let methods = check.list(at, "methods", raw_methods.or_else(|| Some(Vec::new())));
        let plain = |listed: Vec<(KeyPath, Text<Method>)>| {
            listed.into_iter().map(|(_, Text(method))| method).collect()
        };
        Self {
            hosts: hosts(check, at, raw_hosts),
            headers: headers(check, &at.key("headers"), raw_headers.unwrap_or_default()),
            methods: methods.map(plain),
        }
    }

    /// The hosts as words, an empty one for any.
    pub(super) fn host_names(&self) -> Vec<String> {
        let hosts = self.hosts.as_deref().unwrap_or_default();
        if hosts.is_empty() {
            return vec![String::new()];
        }
        hosts.iter().map(ToString::to_string).collect()
    }

    /// The headers as one text, the same for the same headers: they come from a sorted map.
    pub(super) fn header_text(&self) -> String {
        format!("{:?}", self.headers.as_deref().unwrap_or_default())
    }
}

fn hosts(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<List<String>>,
) -> Option<Vec<HostPattern>> {
    let mut hosts = Vec::new();
    for (place, text) in check.list(at, "hosts", raw.or_else(|| Some(Vec::new())))? {
        let Some(host) = host(&text) else {
            let message = format!(
                "`{text}` is not a host: write one like `api.example.com` or `*.example.com`, without a port"
            );
            let _: Option<()> = check.problem(&place, &message);
            continue;
        };
        if hosts.contains(&host) {
            let message = format!("`{text}` is listed twice: leave out one");
            let _: Option<()> = check.problem(&place, &message);
            continue;
        }
        hosts.push(host);
    }
    Some(hosts)
}

fn host(text: &str) -> Option<HostPattern> {
    let plain = text.to_ascii_lowercase();
    let (name, below) = match plain.strip_prefix("*.") {
        Some(name) => (name, true),
        None => (plain.as_str(), false),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(known)
    };
    let address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_address = address.is_some_and(|one| one.parse::<std::net::Ipv6Addr>().is_ok());
    if name.len() > 253 || (below && is_address) || !(is_address || name.split('.').all(label)) {
        return None;
    }
    Some(if below {
        HostPattern::Below(name.into())
    } else {
        HostPattern::Exact(name.into())
    })
}

fn headers(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: BTreeMap<String, Value>,
) -> Option<Vec<HeaderMatch>> {
    if raw.len() > MAX_HEADERS {
        let message = format!(
            "{} headers are more than the {MAX_HEADERS} allowed",
            raw.len()
        );
        return check.problem(at, &message);
    }
    let mut headers = Vec::new();
    for (text, Value(value)) in raw {
        let Ok(name) = text.parse::<HeaderName>() else {
            let message = format!("`{text}` is not the name of a header");
            let _: Option<()> = check.problem(&at.key(&text), &message);
            continue;
        };
        let value = match value.strip_suffix('*') {
            Some(start) => ValueMatch::Prefix(start.into()),
            None => ValueMatch::Exact(value.into()),
        };
        headers.push(HeaderMatch { name, value });
    }
    headers.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    Some(headers)
}
