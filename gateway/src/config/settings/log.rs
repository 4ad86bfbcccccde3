//! `[log]`.

use tracing_subscriber::EnvFilter;

use super::super::path::KeyPath;
use super::super::raw::Log;
use super::super::shape::nearest;
use super::Check;
use crate::telemetry::settings::Settings;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged and how.
pub(super) fn log(check: &mut Check<'_>, raw: Log) -> Option<Settings> {
    let at = KeyPath::default().key("log");
    let level = level(check, &at, raw.level);
    let access = check.set(&at, "access", raw.access);
    Some(Settings {
        level: level?,
        format: raw.format.map(|format| format.0),
        access: access?,
    })
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
