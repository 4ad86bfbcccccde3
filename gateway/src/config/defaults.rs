//! The built-in defaults, and how they reach what a file names itself.
//!
//! Guarantees: after [`Defaults::fill`] only what has no default can be missing. Must not: hold a default outside `defaults.toml`.

use serde_json::{Map, Value};

use super::file;
use super::path::KeyPath;
use super::problem::Problem;
use super::tree::{Tree, merge};

/// The sections whose entries a file names itself: where it does, the built-in entries are not added.
const NAMED: [&str; 3] = ["upstreams", "limits", "routes"];

/// What makes a limit or a route itself, so that no other takes it from the built-in one.
const OWN: [&str; 8] = [
    "capacity", "refill", "name", "path", "rewrite", "methods", "upstream", "limits",
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
        let mut tree = Tree::new(lower);
        if let Some(file) = file {
            tree.overlay(file);
        }
        tree
    }

    /// Gives every upstream, limit and route what it leaves out, and this hop the name of its host.
    pub(super) fn fill(&self, tree: &mut Tree, host: Option<&str>) {
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
