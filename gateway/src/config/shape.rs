//! Which keys exist, taken from the schema, so that there is one list of them.
//!
//! Guarantees: every unknown key is reported, with the nearest known one. Must not: look at values.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::path::KeyPath;
use super::problem::Report;
use super::raw::Raw;
use super::tree::Tree;

/// What may stand at one place.
#[derive(Debug)]
pub(super) enum Shape {
    /// These keys.
    Table(BTreeMap<String, Self>),
    /// Any name, and this below it.
    Map(Box<Self>),
    /// A list of this.
    List(Box<Self>),
    /// A value; whether it is a secret.
    Leaf {
        /// Never printed as it is.
        secret: bool,
        /// Nothing of it is printed.
        whole: bool,
    },
}

/// The JSON Schema of a configuration file.
pub(super) fn schema() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Raw>()
        .to_value();
    let described = documented(&mut schema);
    if let Value::Object(root) = described {
        root.insert("title".to_owned(), "Gateway configuration".into());
    }
    schema
}

/// "Or null" is how an optional field looks to a program; a reader of the schema only needs to know that a key may be left out.
fn documented(schema: &mut Value) -> &mut Value {
    if let Value::Object(table) = schema {
        if let Some(Value::Array(types)) = table.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                table.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(words)) = table.get_mut("enum") {
            words.retain(|word| !word.is_null());
        }
        if let Some(Value::Array(choices)) = table.remove("anyOf") {
            for choice in choices {
                if let Value::Object(choice) = choice
                    && choice.get("type").is_none_or(|name| name != "null")
                {
                    for (key, value) in choice {
                        table.entry(key).or_insert(value);
                    }
                }
            }
        }
        table.remove("default");
        table.values_mut().for_each(|value| {
            documented(value);
        });
    }
    schema
}

impl Shape {
    /// The shape of a whole configuration.
    pub(super) fn of_configuration() -> Self {
        Self::of(&schema())
    }

    fn of(schema: &Value) -> Self {
        if let Some(Value::Object(keys)) = schema.get("properties") {
            return Self::Table(
                keys.iter()
                    .map(|(key, below)| (key.clone(), Self::of(below)))
                    .collect(),
            );
        }
        if let Some(items) = schema.get("items") {
            return Self::List(Box::new(Self::of(items)));
        }
        match schema.get("additionalProperties") {
            Some(below @ Value::Object(_)) => Self::Map(Box::new(Self::of(below))),
            _ => Self::Leaf {
                secret: schema.get("writeOnly").is_some(),
                whole: schema
                    .get("format")
                    .is_some_and(|format| format == "password"),
            },
        }
    }

    /// What may stand at `key` of this.
    pub(super) fn below(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(keys) => keys.get(key),
            Self::Map(below) => Some(below),
            Self::List(_) | Self::Leaf { .. } => None,
        }
    }

    /// Reports and discards every key of `tree` that does not exist, and every list element that is empty.
    pub(super) fn check(&self, tree: &mut Tree, report: &mut Report) {
        let mut wrong = Vec::new();
        self.strangers(tree.root(), &KeyPath::default(), &mut wrong);
        for (path, message) in wrong {
            report.problem(tree, &path, &message);
            tree.discard(&path);
        }
    }

    fn strangers(&self, value: &Value, path: &KeyPath, wrong: &mut Vec<(KeyPath, String)>) {
        match (self, value) {
            (Self::Table(known), Value::Object(table)) => {
                for (key, value) in table {
                    match known.get(key) {
                        Some(shape) => shape.strangers(value, &path.key(key), wrong),
                        None => {
                            let known = known.keys().map(String::as_str);
                            wrong.push((
                                path.key(key),
                                format!("unknown key{}", nearest(key, known)),
                            ));
                        }
                    }
                }
            }
            (Self::Map(shape), Value::Object(table)) => {
                for (key, value) in table {
                    shape.strangers(value, &path.key(key), wrong);
                }
            }
            (Self::List(shape), Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    let path = path.index(index);
                    if value.is_null() {
                        wrong.push((path, "this element is empty".to_owned()));
                    } else {
                        shape.strangers(value, &path, wrong);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A hint to add to a message about `word`: the one of `known` that was probably meant, or all of them.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let plain = word.to_lowercase();
    let closest = known
        .iter()
        .map(|name| (strsim::jaro_winkler(&plain, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match closest {
        Some((_, name)) => format!(": did you mean `{name}`?"),
        None if known.is_empty() => String::new(),
        None if known.len() <= 12 => format!(": known here: `{}`", known.join("`, `")),
        None => String::new(),
    }
}
