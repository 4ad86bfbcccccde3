//! The built-in defaults, and how they reach what a file names itself.
//!
//! Guarantees: after [`Defaults::fill`] only what has no default can be missing. Must not: hold a default outside `defaults.toml`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::file;
use super::path::KeyPath;
use super::problem::{Origin, Problem};
use super::tree::{Tree, merge};

/// The sections whose entries a file names itself: where it does, the built-in entries are not added.
const NAMED: [&str; 3] = ["upstreams", "limits", "routes"];

/// A section whose built-in entry is a pattern only.
const PATTERN: &str = "auth";

/// What makes a limit or a route itself, so that no other takes it from the built-in one.
const OWN: [&str; 8] = [
    "capacity", "refill", "name", "path", "rewrite", "methods", "upstream", "limits",
];

/// Keys of a limit that only some algorithms have.
const SOME_HAVE: [(&str, &[&str]); 7] = [
    ("capacity", &["token_bucket"]),
    ("refill", &["token_bucket"]),
    ("leases", &["token_bucket"]),
    ("lease_lifetime", &["token_bucket"]),
    (
        "limit",
        &[
            "fixed_window",
            "sliding_window",
            "sliding_log",
            "concurrency",
        ],
    ),
    ("window", &["fixed_window", "sliding_window", "sliding_log"]),
    ("lease", &["concurrency"]),
];

/// The name in messages of a hop that does not know its host.
const NO_HOST: &str = "gateway";

/// The built-in defaults.
pub(super) struct Defaults {
    root: Value,
}

impl Defaults {
    /// Reads them.
    pub(super) fn load() -> Result<Self, Problem> {
        let tree = file::built_in(include_str!("defaults.toml"))?;
        Ok(Self {
            root: tree.root().clone(),
        })
    }

    /// The defaults under what a file says.
    pub(super) fn under(&self, file: Option<Tree>) -> Tree {
        let mut lower = self.root.clone();
        if let (Some(table), Some(file)) = (lower.as_object_mut(), &file) {
            table.retain(|section, _| {
                !NAMED.contains(&section.as_str()) || file.root().get(section).is_none()
            });
        }
        if let Some(table) = lower.as_object_mut() {
            table.remove(PATTERN);
        }
        let mut tree = Tree::new(lower);
        if let Some(file) = file {
            tree.overlay(file);
        }
        tree
    }

    /// Gives every upstream, limit and route what it leaves out, and this hop the name of its host.
    pub(super) fn fill(&self, tree: &mut Tree, host: Option<&str>) {
        let written = limits_as_written(tree);
        let root = tree.root_mut();
        for section in NAMED {
            let template = self.template(section);
            match root.get_mut(section) {
                Some(Value::Object(table)) => {
                    table
                        .values_mut()
                        .for_each(|entry| merge(entry, template.clone(), false));
                }
                Some(Value::Array(list)) => {
                    list.iter_mut()
                        .for_each(|entry| merge(entry, template.clone(), false));
                }
                _ => {}
            }
        }
        let pattern = self.template(PATTERN);
        if let Some(Value::Object(table)) = root.get_mut(PATTERN) {
            table
                .values_mut()
                .for_each(|entry| merge(entry, of_its_kind(entry, &pattern), false));
        }
        take_out_foreign(tree, &written);
        let name = KeyPath::default().key("server").key("name");
        if tree.get(&name).is_none()
            && let Some(Value::Object(server)) = tree.root_mut().get_mut("server")
        {
            let host = host.filter(|host| !host.is_empty()).unwrap_or(NO_HOST);
            server.insert("name".to_owned(), host.into());
        }
    }

    /// What an entry of `upstreams`, `limits` or `routes` takes when it leaves a key out.
    pub(super) fn entry(&self, section: &str) -> Option<Value> {
        Some(self.template(section))
    }

    /// What a section takes when it leaves a key out.
    pub(super) fn section(&self, section: &str) -> Option<Value> {
        self.root.get(section).cloned()
    }

    fn template(&self, section: &str) -> Value {
        let entry = match self.root.get(section) {
            Some(Value::Object(table)) => table.values().next(),
            Some(Value::Array(list)) => list.first(),
            _ => None,
        };
        let Some(Value::Object(entry)) = entry else {
            return Value::Object(Map::new());
        };
        let inherited = entry.iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
        Value::Object(
            inherited
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        )
    }
}

/// What of `pattern` an entry takes: single values, and tables where the entry has such a table.
fn of_its_kind(entry: &Value, pattern: &Value) -> Value {
    let fits = |(key, value): &(&String, &Value)| !value.is_object() || entry.get(key).is_some();
    let all = pattern.as_object().into_iter().flatten().filter(fits);
    Value::Object(
        all.map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}

/// The keys of limits that somebody wrote.
fn limits_as_written(tree: &Tree) -> BTreeSet<KeyPath> {
    let limits = KeyPath::default().key("limits");
    let Some(Value::Object(table)) = tree.get(&limits) else {
        return BTreeSet::new();
    };
    let entries = table.iter().filter_map(|(name, entry)| {
        let at = limits.key(name);
        let keys = entry.as_object()?.keys();
        Some(keys.map(move |key| at.key(key)).collect::<Vec<_>>())
    });
    let keys = entries.flatten();
    keys.filter(|path| tree.origin(path) != Origin::Default)
        .collect()
}

/// Takes out of each limit the defaults that its algorithm does not have. What somebody wrote stays, to be refused.
fn take_out_foreign(tree: &mut Tree, written: &BTreeSet<KeyPath>) {
    let limits = KeyPath::default().key("limits");
    let Some(Value::Object(table)) = tree.get(&limits) else {
        return;
    };
    let mut foreign = Vec::new();
    for (name, entry) in table {
        let algorithm = entry.get("algorithm").and_then(Value::as_str);
        for (key, having) in SOME_HAVE {
            let path = limits.key(name).key(key);
            let belongs = algorithm.is_some_and(|algorithm| having.contains(&algorithm));
            if !belongs && entry.get(key).is_some() && !written.contains(&path) {
                foreign.push(path);
            }
        }
    }
    for path in foreign {
        tree.remove(&path);
    }
}
