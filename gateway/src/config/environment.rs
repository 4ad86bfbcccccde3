//! Any key from the environment: `GATEWAY__UPSTREAMS__DEFAULT__TIMEOUT=5s`.
//!
//! Names match without regard to case, and `_` stands for `-` as well. A route is named by its number or its name.
//!
//! Guarantees: a variable that addresses nothing is a problem, not silence. Must not: know what a key means.

use serde_json::Value;

use super::file::toml_value;
use super::path::{KeyPath, Step};
use super::problem::{Origin, Report};
use super::shape::{Shape, nearest};
use super::source::Source;
use super::tree::Tree;

const PREFIX: &str = "GATEWAY__";

/// Lays the variables over `tree`.
pub(super) fn overlay(tree: &mut Tree, source: &Source, shape: &Shape, report: &mut Report) {
    for (name, text) in source.variables() {
        let Some(segments) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let origin = Origin::Variable(name.into());
        match address(tree, shape, segments) {
            Err((path, message)) => report.problem_from(origin, &path, &message),
            Ok(path) => {
                if let Some(value) = readings(text).next() {
                    replace_alternative(tree, &path);
                    tree.set(&path, value, origin);
                }
            }
        }
    }
}

/// The ways to read a variable, most telling first: a TOML value, the text as it is, a list of what commas divide.
pub(super) fn readings(text: &str) -> impl Iterator<Item = Value> {
    let list = || {
        let elements = text.split(',').map(|element| Value::from(element.trim()));
        Value::Array(elements.collect())
    };
    toml_value(text)
        .into_iter()
        .chain([Value::from(text), list()])
}

/// `url` and `url_file` are two ways to say one thing; a variable that says one takes the place of the other in a file.
pub(super) fn replace_alternative(tree: &mut Tree, path: &KeyPath) {
    let (Some(table), Some(Step::Key(key))) = (path.parent(), path.last()) else {
        return;
    };
    let other = match key.strip_suffix("_file") {
        Some(direct) => table.key(direct),
        None => table.key(&format!("{key}_file")),
    };
    if !matches!(tree.origin(&other), Origin::Variable(_)) {
        tree.remove(&other);
    }
}

type Lost = (KeyPath, String);

/// The place that a variable's segments address.
fn address(tree: &Tree, shape: &Shape, segments: &str) -> Result<KeyPath, Lost> {
    let mut path = KeyPath::default();
    let mut shape = shape;
    for segment in segments.split("__") {
        let lost = |path: &KeyPath, message: String| (path.clone(), message);
        if segment.is_empty() {
            return Err(lost(&path, "a segment between `__` is empty".to_owned()));
        }
        shape = match shape {
            Shape::Table(keys) => {
                let known = keys.iter().find(|(key, _)| same(key, segment));
                let (key, below) = known.ok_or_else(|| {
                    let hint = nearest(segment, keys.keys().map(String::as_str));
                    lost(
                        &path.key(&segment.to_lowercase()),
                        format!("unknown key{hint}"),
                    )
                })?;
                path = path.key(key);
                below
            }
            Shape::Map(below) => {
                path = path.key(&entry(tree, &path, segment));
                below
            }
            Shape::List(below) => {
                path = element(tree, &path, segment)?;
                below
            }
            Shape::Leaf { .. } => {
                return Err(lost(
                    &path,
                    format!("this is a value and has no key `{segment}`"),
                ));
            }
        };
    }
    Ok(path)
}

/// The entry of a map that `segment` names; one that does not exist yet is named in lower case with dashes.
fn entry(tree: &Tree, map: &KeyPath, segment: &str) -> String {
    let existing = tree.get(map).and_then(Value::as_object);
    let named = existing.and_then(|table| table.keys().find(|key| same(key, segment)));
    named.cloned().unwrap_or_else(|| canonical(segment))
}

/// The element of a list that `segment` names: by its number, which may be the next free one, or by its `name`.
fn element(tree: &Tree, list: &KeyPath, segment: &str) -> Result<KeyPath, Lost> {
    let elements = tree.get(list).and_then(Value::as_array);
    let elements = elements.map(Vec::as_slice).unwrap_or_default();
    let named = |element: &Value| {
        element
            .get("name")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    match segment.parse::<usize>() {
        Ok(index) if index <= elements.len() => Ok(list.index(index)),
        Ok(index) => {
            let message = format!(
                "there is no element {index}: the next free one is {}",
                elements.len()
            );
            Err((list.clone(), message))
        }
        Err(_) => {
            let names: Vec<String> = elements
                .iter()
                .map(|element| named(element).unwrap_or_default())
                .collect();
            let position = names.iter().position(|name| same(name, segment));
            position.map(|index| list.index(index)).ok_or_else(|| {
                let hint = nearest(&canonical(segment), names.iter().map(String::as_str));
                (
                    list.clone(),
                    format!("nothing here is named `{}`{hint}", canonical(segment)),
                )
            })
        }
    }
}

fn same(key: &str, segment: &str) -> bool {
    canonical(key) == canonical(segment)
}

fn canonical(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}
