//! `[cache]`.

use super::super::path::KeyPath;
use super::super::raw::{Cache, Text};
use super::Check;
use crate::cache::settings::Settings;
use crate::policy::units::ByteSize;
use crate::proxy::settings::RouteSettings;

/// A shard of the table holds at least this many of the largest answers.
const LARGEST_IN_MEMORY: u64 = 4;
/// The largest answer anyone should keep in a store made for small things.
const MOST_OBJECT: u64 = 64 * 1024 * 1024;

/// The cache, with every name that `routes` purge or are purged by.
pub(super) fn cache(
    check: &mut Check<'_>,
    raw: Cache,
    routes: &[RouteSettings],
) -> Option<Settings> {
    let at = KeyPath::default().key("cache");
    let memory = size(check, &at, "memory", raw.memory);
    let max_object = size(check, &at, "max_object", raw.max_object);
    let shared = check.set(&at, "shared", raw.shared);
    let fill_timeout = check.timeout(&at, "fill_timeout", raw.fill_timeout);
    let (memory, max_object) = (memory?.get(), max_object?.get());
    let most = (memory / LARGEST_IN_MEMORY).min(MOST_OBJECT);
    if max_object > most {
        let message = format!(
            "`{}` is too large: write at most a quarter of `cache.memory`, and `64MiB`",
            ByteSize::new(max_object)
        );
        return check.problem(&at.key("max_object"), &message);
    }
    Some(Settings {
        memory,
        max_object: usize::try_from(max_object).ok()?,
        shared: shared?,
        fill_timeout: fill_timeout?,
        tags: names(routes),
    })
}

fn size(
    check: &mut Check<'_>,
    at: &KeyPath,
    key: &str,
    raw: Option<Text<ByteSize>>,
) -> Option<ByteSize> {
    let Text(size) = check.set(at, key, raw)?;
    if size.get() == 0 {
        return check.problem(&at.key(key), "`0B` holds nothing: write more, like `1MiB`");
    }
    Some(size)
}

/// Every name something can be purged by.
fn names(routes: &[RouteSettings]) -> Vec<String> {
    let mut names = Vec::new();
    for route in routes {
        if let Some(cache) = &route.cache {
            names.push(format!("route:{}", route.name));
            names.extend(cache.tags.iter().cloned());
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}
