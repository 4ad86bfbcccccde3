//! Header fields that a configuration names: which may be put on a message by hand.

use http::HeaderValue;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::super::path::KeyPath;
use super::super::raw::{Edits, List, Value};
use super::Check;
use crate::proxy::settings::EditsSettings;
use std::collections::BTreeMap;

/// What frames a message, belongs to one connection (RFC 9110, section 7.6.1) or says whom it is for.
static NOT_BY_HAND: [HeaderName; 12] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
];

/// The name of a field that may be changed by hand.
pub(super) fn name(check: &mut Check<'_>, place: &KeyPath, text: &str) -> Option<HeaderName> {
    match text.parse::<HeaderName>() {
        Ok(name) if NOT_BY_HAND.contains(&name) => check.problem(
            place,
            &format!("`{text}` frames the message or belongs to the connection: the gateway writes it itself"),
        ),
        Ok(name) => Some(name),
        Err(_) => check.problem(place, &format!("`{text}` is not the name of a header")),
    }
}

/// A value as a field can hold it.
pub(super) fn value(check: &mut Check<'_>, place: &KeyPath, text: &str) -> Option<HeaderValue> {
    match HeaderValue::from_str(text) {
        Ok(value) => Some(value),
        Err(_) => check.problem(
            place,
            &format!("`{}` cannot stand in a header", text.escape_debug()),
        ),
    }
}

/// `request_headers` and `response_headers` of a route.
pub(super) fn edits(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<Edits>,
) -> Option<EditsSettings> {
    let Some(raw) = raw else {
        return Some(EditsSettings::default());
    };
    let set = fields(check, &at.key("set"), raw.set);
    let add = fields(check, &at.key("add"), raw.add);
    let remove = names(check, at, "remove", raw.remove);
    Some(EditsSettings {
        remove: remove?,
        set: set?,
        add: add?,
    })
}

/// A list of names.
pub(super) fn names(
    check: &mut Check<'_>,
    at: &KeyPath,
    key: &str,
    raw: Option<List<String>>,
) -> Option<Vec<HeaderName>> {
    let listed = check.list(at, key, raw.or_else(|| Some(Vec::new())))?;
    let names: Vec<_> = listed
        .iter()
        .map(|(place, text)| name(check, place, text))
        .collect();
    names.into_iter().collect()
}

fn fields(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<BTreeMap<String, Value>>,
) -> Option<Vec<(HeaderName, String)>> {
    let fields: Vec<_> = raw
        .unwrap_or_default()
        .into_iter()
        .map(|(text, Value(template))| {
            let place = at.key(&text);
            let name = name(check, &place, &text);
            value(check, &place, &template)?;
            Some((name?, template))
        })
        .collect();
    fields.into_iter().collect()
}
