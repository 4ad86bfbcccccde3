//! `[store]`.

use std::path::PathBuf;

use super::super::path::KeyPath;
use super::super::raw::{Store, Text};
use super::super::secret::{self, MASK, Secret};
use super::Check;
use crate::policy::units::Micros;
use crate::store::settings::{Settings, StoreUrl};

/// Keys are read by people and sent with every call.
const MAX_PREFIX: usize = 64;

/// The shared store, or the embedded one.
pub(super) fn store(check: &mut Check<'_>, raw: Store) -> Option<Settings> {
    let at = KeyPath::default().key("store");
    let url = url(check, &at, raw.url, raw.url_file);
    let ca_file = authorities(check, &at, raw.ca_file);
    let prefix = prefix(check, &at, raw.prefix);
    let timeout = check.timeout(&at, "timeout", raw.timeout);
    let heartbeat = check.wait(&at, "heartbeat", raw.heartbeat);
    let failures = check.count(&at, "failures", raw.failures);
    Some(Settings {
        url: url?,
        ca_file: ca_file?,
        prefix: prefix?,
        timeout: timeout?,
        heartbeat: heartbeat.map(Micros::to_duration)?,
        failures: failures?,
    })
}

fn url(
    check: &mut Check<'_>,
    at: &KeyPath,
    url: Option<Text<Secret>>,
    file: Option<PathBuf>,
) -> Option<Option<StoreUrl>> {
    let (path, secret, place) = match (url, file) {
        (Some(_), Some(_)) => {
            return check.problem(
                &at.key("url_file"),
                "`store.url` says the same: leave out one of the two",
            );
        }
        (Some(Text(url)), None) => (at.key("url"), url, String::new()),
        (None, Some(file)) => {
            let path = at.key("url_file");
            match secret::read(&file) {
                Ok(url) => (path, url, format!("in `{}`: ", file.display())),
                Err(message) => return check.problem(&path, &message),
            }
        }
        (None, None) => {
            alone(check, at);
            return Some(None);
        }
    };
    if secret.expose().contains(&format!(":{MASK}@")) {
        let message = format!(
            "{place}the password is `{MASK}`, as `gateway check` prints it: write the real one"
        );
        return check.problem(&path, &message);
    }
    match StoreUrl::parse(secret.expose()) {
        Ok(url) => Some(Some(url)),
        Err(error) => check.problem(&path, &format!("{place}{error}")),
    }
}

/// Nothing is shared: fine for one process, and a surprise for ten.
fn alone(check: &mut Check<'_>, at: &KeyPath) {
    if !check.tree.is_faulty(at) {
        check.report.warning(
            "no store is configured: limits and circuits are this process's alone; set REDIS_URL or `store.url` to share them",
        );
    }
}

fn authorities(
    check: &mut Check<'_>,
    at: &KeyPath,
    file: Option<PathBuf>,
) -> Option<Option<PathBuf>> {
    let Some(file) = file else {
        return Some(None);
    };
    match std::fs::File::open(&file) {
        Ok(_) => Some(Some(file)),
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", file.display());
            check.problem(&at.key("ca_file"), &message)
        }
    }
}

/// Braces would move the hash tag of a cluster, and with it every key to another server.
fn prefix(check: &mut Check<'_>, at: &KeyPath, prefix: Option<String>) -> Option<String> {
    let prefix = check.set(at, "prefix", prefix)?;
    let safe = |byte: u8| byte.is_ascii_graphic() && !b"{}*?[]\\".contains(&byte);
    if !prefix.is_empty() && prefix.len() <= MAX_PREFIX && prefix.bytes().all(safe) {
        return Some(prefix);
    }
    let message = format!(
        "`{prefix}` is not a prefix: write 1 to {MAX_PREFIX} letters, digits or signs, without spaces, braces, brackets, `*`, `?` or `\\`"
    );
    check.problem(&at.key("prefix"), &message)
}
