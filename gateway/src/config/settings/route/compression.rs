//! `compression` of a route.

use super::super::super::path::KeyPath;
use super::super::super::raw::{Compression, List, Text};
use super::super::Check;
use crate::proxy::settings::{Coding, CompressionLevel, CompressionSettings};

/// What compresses well. Events (`text/event-stream`) are text: each is flushed.
const TYPES: [&str; 8] = [
    "text/*",
    "application/json",
    "application/problem+json",
    "application/javascript",
    "application/xml",
    "application/wasm",
    "application/manifest+json",
    "image/svg+xml",
];

/// Less than this fits into the packet its head is in.
const MINIMUM: u64 = 1024;

pub(super) fn compression(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<Compression>,
) -> Option<Option<CompressionSettings>> {
    let Some(raw) = raw else {
        return Some(None);
    };
    let types = match raw.types {
        None => Some(TYPES.map(Box::from).to_vec()),
        listed => types(check, at, listed),
    };
    let codings = match raw.codings {
        None => Some(vec![Coding::Zstd, Coding::Brotli, Coding::Gzip]),
        listed => codings(check, at, listed),
    };
    Some(Some(CompressionSettings {
        types: types?,
        minimum: raw.minimum.map_or(MINIMUM, |Text(size)| size.get()),
        level: raw
            .level
            .map_or(CompressionLevel::Balanced, |Text(level)| level),
        codings: codings?,
    }))
}

fn types(check: &mut Check<'_>, at: &KeyPath, raw: Option<List<String>>) -> Option<Vec<Box<str>>> {
    let mut types = Vec::new();
    for (place, text) in check.list(at, "types", raw)? {
        let plain = text.to_ascii_lowercase();
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
        let is_type = plain.split_once('/').is_some_and(|(kind, sub)| {
            let sub = sub.strip_suffix('*').unwrap_or(sub);
            !kind.is_empty() && kind.bytes().chain(sub.bytes()).all(known)
        });
        if !is_type {
            let message = format!(
                "`{text}` is not a media type: write one like `application/json` or `text/*`"
            );
            return check.problem(&place, &message);
        }
        types.push(plain.into());
    }
    Some(types)
}

fn codings(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<List<Text<Coding>>>,
) -> Option<Vec<Coding>> {
    let mut codings = Vec::new();
    for (place, Text(coding)) in check.list(at, "codings", raw)? {
        if codings.contains(&coding) {
            let message = format!("`{}` is listed twice: leave out one", coding.name());
            return check.problem(&place, &message);
        }
        codings.push(coding);
    }
    if codings.is_empty() && !check.tree.is_faulty(&at.key("codings")) {
        return check.problem(&at.key("codings"), "this is empty: leave out `compression`");
    }
    Some(codings)
}
