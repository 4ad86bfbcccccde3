//! `[log]`.

use http::HeaderName;
use tracing_subscriber::EnvFilter;

use super::super::path::KeyPath;
use super::super::raw::{List, Log};
use super::super::shape::nearest;
use super::Check;
use crate::telemetry::settings::{AccessSettings, Settings};

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged and how.
pub(super) fn log(check: &mut Check<'_>, raw: Log) -> Option<Settings> {
    let at = KeyPath::default().key("log");
    let level = level(check, &at, raw.level);
    let access = check.set(&at, "access", raw.access);
    let sample = check.set(&at, "sample", raw.sample);
    let sample = sample.and_then(|share| sampled(check, &at, share));
    let query = check.set(&at, "query", raw.query);
    let headers = names(check, &at, "headers", raw.headers);
    let redact_headers = names(check, &at, "redact_headers", raw.redact_headers);
    let redact_query = check.list(&at, "redact_query", raw.redact_query);
    let redact_query = redact_query.map(|listed| listed.into_iter().map(|(_, name)| name));
    Some(Settings {
        level: level?,
        format: raw.format.map(|format| format.0),
        access: access?,
        lines: AccessSettings {
            sample: sample?,
            query: query?,
            headers: headers?,
            redact_headers: redact_headers?,
            redact_query: redact_query?.collect(),
        },
    })
}

fn sampled(check: &mut Check<'_>, at: &KeyPath, share: f64) -> Option<f64> {
    if (0.0..=1.0).contains(&share) {
        return Some(share);
    }
    let message = format!("`{share}` is not a share: write 0 to 1");
    check.problem(&at.key("sample"), &message)
}

fn names(
    check: &mut Check<'_>,
    at: &KeyPath,
    key: &str,
    raw: Option<List<String>>,
) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for (place, name) in check.list(at, key, raw)? {
        match name.parse() {
            Ok(name) => names.push(name),
            Err(_) => {
                let message = format!("`{name}` is not a header's name");
                let _: Option<()> = check.problem(&place, &message);
            }
        }
    }
    Some(names)
}

/// A filter takes any bare word for a module's name, so that `inof` would silence everything. Here a bare word is a level.
fn level(check: &mut Check<'_>, at: &KeyPath, level: Option<String>) -> Option<String> {
    let level = check.set(at, "level", level)?;
    let path = at.key("level");
    let is_level = |word: &str| LEVELS.contains(&word.to_ascii_lowercase().as_str());
    for directive in level.split(',').map(str::trim) {
        if !directive.contains(['=', '[']) && !is_level(directive) {
            let hint = nearest(directive, LEVELS.into_iter());
            return check.problem(&path, &format!("`{directive}` is not a level{hint}"));
        }
    }
    match EnvFilter::builder().parse(&level) {
        Ok(_) => Some(level),
        Err(error) => check.problem(&path, &format!("`{level}` is not a filter: {error}")),
    }
}
