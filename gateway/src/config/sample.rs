//! An example of every key: `sample.toml`, a configuration file like any other.
//!
//! Guarantees: no key of the schema is without one, and each can be read (tests below). Must not: be what a gateway runs.

use serde_json::{Map, Value};

use super::file;
use super::problem::Problem;

/// The samples.
pub(super) struct Samples {
    root: Value,
}

impl Samples {
    /// Reads them.
    pub(super) fn load() -> Result<Self, Problem> {
        let tree = file::built_in(include_str!("sample.toml"))?;
        Ok(Self {
            root: tree.root().clone(),
        })
    }

    /// Those of one section.
    pub(super) fn section(&self, name: &str) -> Option<&Value> {
        self.root.get(name)
    }

    /// Gives every key of a schema without an example its own.
    pub(super) fn put_into(&self, schema: &mut Value) {
        put(schema, Some(&self.root));
    }
}

/// The sample of `key` below that of `schema`: of a table of tables alike, one stands for all.
pub(super) fn below<'a>(
    sample: Option<&'a Value>,
    key: &str,
    keys: &Map<String, Value>,
) -> Option<&'a Value> {
    let table = sample?.as_object()?;
    table.get(key).or_else(|| {
        let alike = |name: &&String| {
            keys.get(*name).is_some_and(|other| {
                other["properties"].is_object() && other["properties"] == keys[key]["properties"]
            })
        };
        table.keys().find(alike).and_then(|name| table.get(name))
    })
}

/// The sample of the entries of a list, or of a table of entries by name.
pub(super) fn entry(sample: Option<&Value>) -> Option<&Value> {
    match sample? {
        Value::Array(list) => list.first(),
        Value::Object(table) => table.values().next(),
        _ => None,
    }
}

fn put(schema: &mut Value, sample: Option<&Value>) {
    if let Some(keys) = schema["properties"].as_object().cloned() {
        for name in keys.keys() {
            put(&mut schema["properties"][name], below(sample, name, &keys));
        }
        return;
    }
    let inner = ["additionalProperties", "items"]
        .into_iter()
        .find(|inner| schema[inner]["properties"].is_object());
    if let Some(inner) = inner {
        put(&mut schema[inner], entry(sample));
    } else if let (Some(sample), Value::Object(leaf)) = (sample, schema) {
        leaf.insert("examples".to_owned(), Value::Array(vec![sample.clone()]));
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;

    use super::super::problem::Report;
    use super::super::raw::Raw;
    use super::super::schema;
    use super::super::shape::Shape;
    use super::super::tree::Tree;
    use super::*;

    fn without(schema: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(keys) = schema["properties"].as_object() {
            for (key, value) in keys {
                without(value, &format!("{path}.{key}"), found);
            }
            return;
        }
        let entries = ["additionalProperties", "items"].map(|inner| &schema[inner]);
        match entries.iter().find(|entry| entry["properties"].is_object()) {
            Some(entry) => without(entry, path, found),
            None if schema["examples"][0].is_null() => found.push(path.to_owned()),
            None => {}
        }
    }

    #[test]
    fn every_key_has_a_sample() {
        let mut found = Vec::new();
        without(&schema(), "", &mut found);
        assert!(found.is_empty(), "without an example: {found:?}");
    }

    #[test]
    fn every_sample_can_be_read() {
        let samples = Samples::load().unwrap();
        let mut tree = Tree::new(samples.root.clone());
        let mut report = Report::default();
        Shape::of_configuration().check(&mut tree, &mut report);
        assert_eq!(tree.root(), &samples.root, "a key that does not exist");
        Raw::deserialize(&samples.root).unwrap();
    }
}
