//! From the raw configuration to the settings of each component, which need no further check.
//!
//! Guarantees: every problem of every section is reported in one run. Must not: read the environment.

mod answer;
mod cache;
mod auth;
mod balance;
mod circuit;
mod concurrency;
mod http2;
mod header;
mod limit;
mod listener;
mod log;
mod pattern;
mod route;
mod server_tls;
mod store;
mod traces;
mod tls;
mod upstream;

use std::time::Duration;

use super::path::KeyPath;
use super::problem::{Origin, Problem, Report};
use super::raw::{List, Raw, Text};
use super::tree::Tree;
use super::{Config, Problems};
use crate::policy::units::Micros;
use crate::proxy;

/// The longest name: it becomes part of keys, labels and headers.
const MAX_NAME: usize = 64;
/// More upstreams or limits than anyone runs; it bounds metrics and memory.
const MAX_NAMED: usize = 1_000;

/// What is known while settings are checked.
struct Check<'a> {
    tree: &'a Tree,
    report: &'a mut Report,
}

/// Validates `raw`. `effective` is what the tree says, ready to print.
pub(super) fn validate(
    raw: Raw,
    tree: &Tree,
    mut report: Report,
    effective: String,
) -> Result<Config, Problems> {
    let mut check = Check {
        tree,
        report: &mut report,
    };
    let config = config(&mut check, raw);
    let warnings = report.finish()?;
    match config {
        Some(config) => Ok(Config {
            warnings,
            effective,
            ..config
        }),
        None => {
            let message = "a value is missing and nothing says which: please report this";
            Err(Problem::new(Origin::Default, KeyPath::default(), message).into())
        }
    }
}

/// Every section is checked before the first that failed ends it.
fn config(check: &mut Check<'_>, raw: Raw) -> Option<Config> {
    let known = route::Known::of(&raw);
    listener::conflict(check, &raw);
    let identity = listener::identity(check, &raw.server);
    let hop = listener::hop(check, &raw.server);
    let strictness = listener::strictness(check, &raw.server);
    let max_requests = concurrency::max_requests(check, &raw.server);
    let tunnel_idle_timeout = listener::tunnel(check, &raw.server);
    let server = listener::server(check, &raw.server);
    let admin = listener::admin(check, &raw.admin);
    let shared = raw.store.url.is_some() || raw.store.url_file.is_some();
    let store = store::store(check, raw.store);
    let log = log::log(check, raw.log);
    let traces = traces::traces(check, raw.traces);
    let health = answer::health(check, raw.server.health);
    let answers = answer::top(check, raw.answers);
    let upstreams = check.named("upstreams", raw.upstreams, upstream::upstream);
    let around = auth::Around {
        known: &known,
        shared,
    };
    let auth = check.named("auth", raw.auth, |check, at, name, raw| {
        auth::auth(check, at, name, raw, around)
    });
    let families = check.named("limits", raw.limits, limit::family);
    let counting = families.iter().map(|family| family.counting.clone());
    let counting = counting.collect();
    let limits = families.into_iter().flat_map(|family| family.limits);
    let limits = limits.collect();
    let routes = route::routes(check, raw.routes, &known);
    let cache = cache::cache(check, raw.cache, &routes);
    Some(Config {
        server: server?,
        admin: admin?,
        store: store?,
        cache: cache?,
        log: log?,
        traces: traces?,
        upstreams,
        limits,
        proxy: proxy::settings::Settings {
            routes,
            auth,
            counting,
            answers: answers?,
            health: health?,
            identity: identity?,
            strictness: strictness?,
            max_requests: max_requests?,
            tunnel_idle_timeout: tunnel_idle_timeout?,
            hop: hop?,
        },
        warnings: Vec::new(),
        effective: String::new(),
    })
}

impl Check<'_> {
    /// Reports what is wrong with the value at `key`; none, so that a check can end with it.
    fn problem<T>(&mut self, key: &KeyPath, message: &str) -> Option<T> {
        self.report.problem(self.tree, key, message);
        None
    }

    /// The value of `key` in `table`, or the report that it is missing. What was wrong has been reported already.
    fn required<T>(
        &mut self,
        table: &KeyPath,
        key: &str,
        value: Option<T>,
        hint: &str,
    ) -> Option<T> {
        let path = table.key(key);
        if value.is_none() && !self.tree.is_faulty(&path) {
            return self.problem(&path, &format!("this is required: {hint}"));
        }
        value
    }

    /// A value that has a default, so that it is missing only if it was wrong.
    fn set<T>(&mut self, table: &KeyPath, key: &str, value: Option<T>) -> Option<T> {
        self.required(table, key, value, "it has lost its default")
    }

    /// A duration.
    fn span(&mut self, table: &KeyPath, key: &str, value: Option<Text<Micros>>) -> Option<Micros> {
        self.set(table, key, value).map(|Text(span)| span)
    }

    /// A duration above zero.
    fn wait(&mut self, table: &KeyPath, key: &str, value: Option<Text<Micros>>) -> Option<Micros> {
        match self.span(table, key, value)? {
            Micros::ZERO => self.problem(
                &table.key(key),
                "a duration of zero would never wait: write more, like `100ms`",
            ),
            span => Some(span),
        }
    }

    /// A duration above zero, for timers.
    fn timeout(
        &mut self,
        table: &KeyPath,
        key: &str,
        value: Option<Text<Micros>>,
    ) -> Option<Duration> {
        self.wait(table, key, value).map(Micros::to_duration)
    }

    /// A duration above zero, for timers; absent, there is none.
    fn optional_timeout(
        &mut self,
        table: &KeyPath,
        key: &str,
        value: Option<Text<Micros>>,
    ) -> Option<Option<Duration>> {
        match value {
            None => Some(None),
            some => self.timeout(table, key, some).map(Some),
        }
    }

    /// Final response statuses.
    fn statuses(
        &mut self,
        table: &KeyPath,
        key: &str,
        value: Option<List<u16>>,
    ) -> Option<Vec<u16>> {
        let mut statuses = Vec::new();
        for (place, status) in self.list(table, key, value)? {
            if (200..=599).contains(&status) {
                statuses.push(status);
            } else {
                let message = format!("`{status}` is not a final status: write 200 to 599");
                let _: Option<()> = self.problem(&place, &message);
            }
        }
        Some(statuses)
    }

    /// A count of at least 1.
    fn count(&mut self, table: &KeyPath, key: &str, value: Option<u32>) -> Option<u32> {
        match self.set(table, key, value)? {
            0 => self.problem(&table.key(key), "`0` is too few: write at least 1"),
            count => Some(count),
        }
    }

    /// A share of something: above 0 and at most 1.
    fn share(&mut self, table: &KeyPath, key: &str, value: Option<f64>) -> Option<f64> {
        let share = self.required(table, key, value, "write a share like `0.5`")?;
        if share > 0.0 && share <= 1.0 {
            return Some(share);
        }
        self.problem(
            &table.key(key),
            &format!("`{share}` is not a share: write a number above 0 and at most 1"),
        )
    }

    /// The elements of a list that were not wrong, each with its place.
    fn list<T>(
        &mut self,
        table: &KeyPath,
        key: &str,
        value: Option<List<T>>,
    ) -> Option<Vec<(KeyPath, T)>> {
        let path = table.key(key);
        let list = self.set(table, key, value)?;
        if list.len() > MAX_NAMED {
            return self.problem(
                &path,
                &format!(
                    "{} elements are more than the {MAX_NAMED} allowed",
                    list.len()
                ),
            );
        }
        let present = list.into_iter().enumerate();
        Some(
            present
                .filter_map(|(index, value)| Some((path.index(index), value?)))
                .collect(),
        )
    }

    /// A name that is safe in keys, labels and headers.
    fn name(&mut self, path: &KeyPath, name: &str) -> Option<()> {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(safe) {
            return Some(());
        }
        let message = format!(
            "`{name}` is not a name: write 1 to {MAX_NAME} letters, digits, `-`, `_` or `.`"
        );
        self.problem(path, &message)
    }

    /// Every entry of a section, by name.
    fn named<R, T>(
        &mut self,
        section: &str,
        entries: impl IntoIterator<Item = (String, R)>,
        build: impl Fn(&mut Check<'_>, &KeyPath, &str, R) -> Option<T>,
    ) -> Vec<T> {
        let section = KeyPath::default().key(section);
        let mut built = Vec::new();
        for (number, (name, entry)) in entries.into_iter().enumerate() {
            let path = section.key(&name);
            if number == MAX_NAMED {
                let _: Option<()> = self.problem(
                    &section,
                    &format!("more than the {MAX_NAMED} entries allowed"),
                );
                break;
            }
            let safe = self.name(&path, &name);
            let entry = build(self, &path, &name, entry);
            built.extend(safe.and(entry));
        }
        built
    }
}
