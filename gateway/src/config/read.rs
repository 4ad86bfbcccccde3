//! From the tree to the raw configuration, collecting every value of the wrong form.
//!
//! Deserialisation stops at its first error; so each error is noted, its value is taken out of the tree, and it starts again.
//!
//! Guarantees: ends, because each turn takes a value out or uses up one of its readings. Must not: relate keys.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::environment;
use super::path::{KeyPath, Step};
use super::problem::{Origin, Report};
use super::raw::Raw;
use super::source::Source;
use super::tree::Tree;

/// More than anyone will read; it bounds the work a hopeless file costs.
const MAX_PROBLEMS: usize = 200;

/// The raw configuration, without the values that were wrong; none where so much is wrong that nothing more can be said.
pub(super) fn raw(tree: &mut Tree, source: &Source, report: &mut Report) -> Option<Raw> {
    // Of a variable's value: how many readings have failed, and what the first failure said.
    let mut failed: BTreeMap<KeyPath, (usize, String)> = BTreeMap::new();
    while report.len() < MAX_PROBLEMS {
        let error = match serde_path_to_error::deserialize(tree.root()) {
            Ok(raw) => return Some(raw),
            Err(error) => error,
        };
        let path = existing(tree, key_path(error.path()));
        let message = in_plain_words(&error.inner().to_string());
        let attempt = failed.entry(path.clone()).or_insert((0, message));
        attempt.0 += 1;
        if let Some(value) = other_reading(tree, source, &path, attempt.0) {
            let origin = tree.origin(&path);
            tree.set(&path, value, origin);
            continue;
        }
        report.problem(tree, &path, &attempt.1);
        if path == KeyPath::default() {
            break;
        }
        tree.discard(&path);
    }
    None
}

/// A variable's text can be meant in several ways; the type decides.
fn other_reading(tree: &Tree, source: &Source, path: &KeyPath, number: usize) -> Option<Value> {
    let Origin::Variable(name) = tree.own_origin(path)? else {
        return None;
    };
    environment::readings(source.variable(name)?).nth(number)
}

fn key_path(path: &Path) -> KeyPath {
    path.iter()
        .fold(KeyPath::default(), |path, segment| match segment {
            Segment::Seq { index } => path.index(*index),
            Segment::Map { key } => path.step(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => path,
        })
}

/// The value to blame: an error may point at a key that is missing rather than wrong.
fn existing(tree: &Tree, path: KeyPath) -> KeyPath {
    let mut path = path;
    while tree.get(&path).is_none() {
        let Some(parent) = path.parent() else {
            break;
        };
        path = parent;
    }
    path
}

/// What serde calls its types is not what a user calls them.
fn in_plain_words(message: &str) -> String {
    let Some((start, expected)) = message.rsplit_once("expected ") else {
        return message.to_owned();
    };
    let expected = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "path string" => "a text in quotes",
        "a sequence" => "a list",
        "a map" => "a table",
        structure if structure.starts_with("struct ") => "a table",
        other => other,
    };
    let start = start
        .replace("invalid type: ", "this is the ")
        .replace("invalid value: ", "this is the ")
        .replace("the map", "a table")
        .replace("the sequence", "a list")
        .replace("floating point", "number");
    format!("{start}expected {expected}")
}
