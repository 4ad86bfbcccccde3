//! A configuration as a tree of plain values, with the origin of each.
//!
//! Guarantees: every value has an origin, its own or that of the nearest table around it. Must not: know which keys exist.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::path::{KeyPath, Step};
use super::problem::Origin;

/// Values and who wrote them.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: Value,
    origins: BTreeMap<KeyPath, Origin>,
    faulty: BTreeSet<KeyPath>,
}

impl Tree {
    /// A tree whose values nobody wrote.
    pub(super) fn new(root: Value) -> Self {
        Self {
            root,
            origins: BTreeMap::new(),
            faulty: BTreeSet::new(),
        }
    }

    /// The whole tree.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// The whole tree, to change values without a new origin.
    pub(super) fn root_mut(&mut self) -> &mut Value {
        &mut self.root
    }

    /// The value at `path`.
    pub(super) fn get(&self, path: &KeyPath) -> Option<&Value> {
        path.steps()
            .iter()
            .try_fold(&self.root, |value, step| match step {
                Step::Key(key) => value.get(key),
                Step::Index(index) => value.get(index),
            })
    }

    /// The text at `path`.
    pub(super) fn text(&self, path: &KeyPath) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// Whose value stands at `path`.
    pub(super) fn origin(&self, path: &KeyPath) -> Origin {
        let mut place = Some(path.clone());
        while let Some(path) = place {
            if let Some(origin) = self.origins.get(&path) {
                return origin.clone();
            }
            place = path.parent();
        }
        Origin::Default
    }

    /// Who wrote the value at `path` itself, not a table around it.
    pub(super) fn own_origin(&self, path: &KeyPath) -> Option<&Origin> {
        self.origins.get(path)
    }

    /// The origins of the value at `path` and of everything within it.
    pub(super) fn origins_within(&self, path: &KeyPath) -> impl Iterator<Item = &Origin> {
        self.origins
            .range(path.clone()..)
            .take_while(|(place, _)| place.is_within(path))
            .map(|(_, origin)| origin)
    }

    /// Says who wrote the value at `path`.
    pub(super) fn sign(&mut self, path: &KeyPath, origin: Origin) {
        self.origins.insert(path.clone(), origin);
    }

    /// Puts `value` at `path`, making the tables on the way. A value of another kind on the way is left as it is: its own
    /// problem will be reported.
    pub(super) fn set(&mut self, path: &KeyPath, value: Value, origin: Origin) {
        if let Some(place) = slot(&mut self.root, path) {
            *place = value;
            self.origins.retain(|other, _| !other.is_within(path));
            self.sign(path, origin);
        }
    }

    /// Takes the value at `path` out of its table.
    pub(super) fn remove(&mut self, path: &KeyPath) {
        if let (Some(parent), Some(Step::Key(key))) = (path.parent(), path.last())
            && let Some(Value::Object(table)) = slot(&mut self.root, &parent)
        {
            table.remove(key);
        }
    }

    /// Takes a value out because it is wrong. An element of a list becomes null, so that the others keep their numbers.
    pub(super) fn discard(&mut self, path: &KeyPath) {
        self.faulty.insert(path.clone());
        match path.last() {
            Some(Step::Key(_)) => self.remove(path),
            Some(Step::Index(_)) => {
                if let Some(place) = slot(&mut self.root, path) {
                    *place = Value::Null;
                }
            }
            None => self.root = Value::Object(Map::new()),
        }
    }

    /// Whether something at `path`, around it or within it was discarded: that it is missing now is no news.
    pub(super) fn is_faulty(&self, path: &KeyPath) -> bool {
        let touches = |faulty: &KeyPath| faulty.is_within(path) || path.is_within(faulty);
        self.faulty.iter().any(touches)
    }

    /// Lays `upper` over this tree: tables are merged, everything else is replaced.
    pub(super) fn overlay(&mut self, upper: Self) {
        merge(&mut self.root, upper.root, true);
        self.origins.extend(upper.origins);
    }
}

/// The place for a value, with the tables on the way made; none where something else than a table is in the way.
fn slot<'a>(root: &'a mut Value, path: &KeyPath) -> Option<&'a mut Value> {
    path.steps().iter().try_fold(root, |value, step| {
        if value.is_null() {
            *value = match step {
                Step::Key(_) => Value::Object(Map::new()),
                Step::Index(_) => Value::Array(Vec::new()),
            };
        }
        match (value, step) {
            (Value::Object(table), Step::Key(key)) => {
                Some(table.entry(key.as_str()).or_insert(Value::Null))
            }
            (Value::Array(list), Step::Index(index)) => {
                if *index == list.len() {
                    list.push(Value::Null);
                }
                list.get_mut(*index)
            }
            _ => None,
        }
    })
}

/// Adds what `upper` has to `lower`; where both have a value, `upper_wins` decides.
pub(super) fn merge(lower: &mut Value, upper: Value, upper_wins: bool) {
    match (lower, upper) {
        (Value::Object(lower), Value::Object(upper)) => {
            for (key, value) in upper {
                match lower.get_mut(&key) {
                    Some(place) => merge(place, value, upper_wins),
                    None => {
                        lower.insert(key, value);
                    }
                }
            }
        }
        (lower, upper) if upper_wins => *lower = upper,
        _ => {}
    }
}
