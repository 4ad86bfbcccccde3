//! `[auth.NAME]`. The files it names are read here, so that what cannot be used is found before anything starts.
//!
//! Guarantees: no message quotes a secret. Must not: fetch anything.

mod external;
mod jwt;
mod keys;
mod users;

use std::sync::Arc;

use http::HeaderName;
use ipnet::IpNet;

use super::super::path::KeyPath;
use super::super::raw::{Addresses, ApiKeys, Auth, List, Text};
use super::Check;
use super::route::Known;
use crate::proxy::settings::{
    AddressesSettings, ApiKeysSettings, AuthKind, AuthSettings, BasicSettings,
};

/// Headers that say what a message is, or who the client claims to be: nobody may set them under another meaning.
const NOT_OURS: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
];

/// Everything an auth may refer to.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) known: &'a Known,
    /// Whether there is a shared store.
    pub(super) shared: bool,
}

/// One way.
pub(super) fn auth(
    check: &mut Check<'_>,
    at: &KeyPath,
    name: &str,
    raw: Auth,
    around: Around<'_>,
) -> Option<AuthSettings> {
    let plan = plan(check, at, "plan", raw.plan.clone());
    let forward_credentials = check.set(at, "forward_credentials", raw.forward_credentials);
    let subject_header = check.set(at, "subject_header", raw.subject_header.clone());
    let subject_header =
        subject_header.and_then(|Text(name)| ours(check, &at.key("subject_header"), name));
    let plan_header = check.set(at, "plan_header", raw.plan_header.clone());
    let plan_header = plan_header.and_then(|Text(name)| ours(check, &at.key("plan_header"), name));
    let kind = kind(check, at, raw, around);
    Some(AuthSettings {
        name: name.into(),
        plan: plan?,
        forward_credentials: forward_credentials?,
        subject_header: subject_header?,
        plan_header: plan_header?,
        kind: kind?,
    })
}

fn kind(check: &mut Check<'_>, at: &KeyPath, raw: Auth, around: Around<'_>) -> Option<AuthKind> {
    let Auth {
        api_keys,
        jwt: tokens,
        basic,
        addresses: networks,
        external: service,
        ..
    } = raw;
    match (api_keys, tokens, basic, networks, service) {
        (Some(raw), None, None, None, None) => {
            self::api_keys(check, &at.key("api_keys"), raw, around).map(AuthKind::ApiKeys)
        }
        (None, Some(raw), None, None, None) => {
            jwt::jwt(check, &at.key("jwt"), raw).map(AuthKind::Jwt)
        }
        (None, None, Some(raw), None, None) => {
            let at = at.key("basic");
            let file = check.required(&at, "file", raw.file, "write the file of users")?;
            match users::read(&file) {
                Ok(users) => Some(AuthKind::Basic(BasicSettings {
                    users: users.into(),
                })),
                Err(message) => check.problem(&at.key("file"), &message),
            }
        }
        (None, None, None, Some(raw), None) => {
            addresses(check, &at.key("addresses"), raw).map(AuthKind::Addresses)
        }
        (None, None, None, None, Some(raw)) => {
            external::external(check, &at.key("external"), raw, around).map(AuthKind::External)
        }
        _ if check.tree.is_faulty(at) => None,
        _ => {
            let message = "this says nothing, or too much: write one of `api_keys`, `jwt`, `basic`, `addresses` and `external`";
            check.problem(at, message)
        }
    }
}

fn api_keys(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: ApiKeys,
    around: Around<'_>,
) -> Option<ApiKeysSettings> {
    let header = check.set(at, "header", raw.header);
    let on_failure = check.set(at, "on_failure", raw.on_failure);
    let store = check.set(at, "store", raw.store);
    let keys = match &raw.file {
        None => Some(Vec::new()),
        Some(file) => match keys::read(file) {
            Ok(keys) => Some(keys),
            Err(message) => check.problem(&at.key("file"), &message),
        },
    };
    if raw.file.is_none() && store == Some(false) {
        return check.problem(at, "no key is known: write `file`, or `store = true`");
    }
    if store == Some(true) && !around.shared {
        let message = "there is no shared store to ask: set `store.url`, or write `file`";
        return check.problem(&at.key("store"), message);
    }
    Some(ApiKeysSettings {
        header: header?.0,
        query: raw.query.map(Arc::from),
        keys: keys?.into(),
        store: store?,
        on_failure: on_failure?.0,
    })
}

fn addresses(check: &mut Check<'_>, at: &KeyPath, raw: Addresses) -> Option<AddressesSettings> {
    let allow = networks(check, at, "allow", raw.allow);
    let deny = networks(check, at, "deny", raw.deny);
    Some(AddressesSettings {
        allow: allow?,
        deny: deny?,
    })
}

/// A list of networks.
pub(super) fn networks(
    check: &mut Check<'_>,
    at: &KeyPath,
    key: &str,
    raw: Option<List<Text<IpNet>>>,
) -> Option<Vec<IpNet>> {
    let listed = check.list(at, key, raw)?;
    Some(
        listed
            .into_iter()
            .map(|(_, Text(network))| network)
            .collect(),
    )
}

/// A header that is ours to set.
fn ours(check: &mut Check<'_>, at: &KeyPath, name: HeaderName) -> Option<HeaderName> {
    if NOT_OURS.contains(&name.as_str()) {
        let message =
            format!("`{name}` means something else: write a header like `x-authenticated-subject`");
        return check.problem(at, &message);
    }
    Some(name)
}

/// A plan: it becomes part of names.
fn plan(
    check: &mut Check<'_>,
    at: &KeyPath,
    key: &str,
    raw: Option<String>,
) -> Option<Option<Arc<str>>> {
    match raw {
        None => Some(None),
        Some(plan) => {
            check.name(&at.key(key), &plan)?;
            Some(Some(plan.into()))
        }
    }
}
