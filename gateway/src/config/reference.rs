//! Every key on one page: its type and unit, its default, an example, what it means.
//!
//! Made from the schema, the built-in defaults and the samples, so that none can say one thing and the page another.
//!
//! Guarantees: every key of the schema has a row. Must not: hold a description of its own.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::defaults::Defaults;
use super::effective::inline;
use super::problem::Problem;
use super::sample::{Samples, below as sample_of, entry as sample_entry};
use super::shape::schema;

/// As a table of this many like tables is shown once: `answers.KIND.body`.
const ALIKE: usize = 3;

/// The page, in Markdown: a heading and a table for each section.
pub(super) fn page() -> Result<String, Problem> {
    let schema = schema();
    let defaults = Defaults::load()?;
    let samples = Samples::load()?;
    let mut page = String::new();
    for (section, schema) in properties(&schema).into_iter().flatten() {
        let sample = samples.section(section);
        let mut said = Said {
            default: None,
            sample: sample_entry(sample),
        };
        let (heading, entry, default) = match schema {
            list if list.get("items").is_some() => (
                format!("[[{section}]]"),
                &list["items"],
                defaults.entry(section),
            ),
            map if map["additionalProperties"].is_object() => (
                format!("[{section}.NAME]"),
                &map["additionalProperties"],
                defaults.entry(section),
            ),
            table => {
                said.sample = sample;
                (format!("[{section}]"), table, defaults.section(section))
            }
        };
        said.default = default.as_ref();
        let about = text(entry, "description");
        let _ = write!(
            page,
            "\n### `{heading}`\n\n{about}\n\n| key | type | default | example | meaning |\n|---|---|---|---|---|\n"
        );
        rows(&mut page, entry, "", said);
    }
    Ok(page)
}

/// What is said of a place elsewhere than in the schema.
#[derive(Clone, Copy, Default)]
struct Said<'a> {
    default: Option<&'a Value>,
    sample: Option<&'a Value>,
}

impl<'a> Said<'a> {
    /// The same of one of `keys`.
    fn below(self, key: &str, keys: &Map<String, Value>) -> Self {
        Self {
            default: self.default.and_then(|default| default.get(key)),
            sample: sample_of(self.sample, key, keys),
        }
    }

    /// The same of an entry.
    fn entry(self) -> Self {
        Self {
            default: None,
            sample: sample_entry(self.sample),
        }
    }
}

/// A row for each key below `schema`, whose own key is `path`.
fn rows(page: &mut String, schema: &Value, path: &str, said: Said<'_>) {
    let Some(keys) = properties(schema) else {
        return nested(page, schema, path, said);
    };
    let alike = alike(keys);
    if let Some((kind, _)) = alike.first() {
        let names: Vec<_> = alike.iter().map(|(name, _)| format!("`{name}`")).collect();
        let list = names.join(", ");
        let kind_path = below(path, "KIND");
        let _ = writeln!(
            page,
            "| `{kind_path}` | table | | | For each of {list}, what follows. |"
        );
        let sample = said.below(kind, keys).sample;
        let said = Said {
            default: None,
            sample,
        };
        rows(page, &keys[*kind], &kind_path, said);
    }
    for (key, schema) in keys {
        let path = below(path, key);
        let said = said.below(key, keys);
        if alike.iter().any(|(name, _)| *name == key) {
            row(page, schema, &path, Said::default());
        } else {
            rows(page, schema, &path, said);
        }
    }
}

/// What is not a table of known keys: entries by name, entries in a list, or one value.
fn nested(page: &mut String, schema: &Value, path: &str, said: Said<'_>) {
    let (entry, below) = match (&schema["additionalProperties"], &schema["items"]) {
        (entry @ Value::Object(_), _) => (entry, below(path, "NAME")),
        (_, entry) if entry["properties"].is_object() => (entry, format!("{path}[]")),
        _ => return row(page, schema, path, said),
    };
    if properties(entry).is_some() {
        let own = Said {
            sample: None,
            ..said
        };
        row(page, schema, path, own);
        rows(page, entry, &below, said.entry());
    } else {
        row(page, schema, path, said);
    }
}

fn row(page: &mut String, schema: &Value, path: &str, said: Said<'_>) {
    let code = |value: &Value| format!("`{}`", inline(value, None).replace('|', "\\|"));
    let default = match said.default {
        Some(Value::Object(_)) => String::new(),
        Some(value) => code(value),
        None if schema["x-required"] == true => "required".to_owned(),
        None => String::new(),
    };
    let example = said.sample.map(code).unwrap_or_default();
    let meaning = text(schema, "description").replace('|', "\\|");
    let mut kind = kind(schema).replace('|', "\\|");
    if let Some(unit) = schema["x-unit"].as_str() {
        let _ = write!(kind, ": {unit}");
    }
    let _ = writeln!(
        page,
        "| `{path}` | {kind} | {default} | {example} | {meaning} |"
    );
}

/// What may be written: the words of a choice, a form with an example, or a plain type.
fn kind(schema: &Value) -> String {
    if let Some(Value::Array(words)) = schema.get("enum") {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        return format!("`{}`", words.join("`, `"));
    }
    let form = text(schema, "title");
    if !form.is_empty() {
        let article = ["a ", "an "]
            .iter()
            .find_map(|article| form.strip_prefix(article));
        return article.unwrap_or(&form).to_owned();
    }
    match (&schema["items"], &schema["additionalProperties"]) {
        (items @ Value::Object(_), _) => format!("list: {}", kind(items)),
        (_, entry @ Value::Object(_)) => format!("table: {}", kind(entry)),
        _ => match &schema["type"] {
            Value::String(one) if one == "object" => "table".to_owned(),
            Value::String(one) => one.clone(),
            Value::Array(several) => {
                let several: Vec<_> = several.iter().filter_map(Value::as_str).collect();
                several.join(" or ")
            }
            _ => "any".to_owned(),
        },
    }
}

/// The tables that have all the same keys, if they are so many that one row a key would repeat itself.
fn alike(keys: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let tables = || {
        keys.iter()
            .filter(|(_, schema)| schema["properties"].is_object())
    };
    tables()
        .map(|(_, first)| {
            tables()
                .filter(|(_, other)| other["properties"] == first["properties"])
                .map(|(name, schema)| (name.as_str(), schema))
                .collect::<Vec<_>>()
        })
        .find(|group| group.len() >= ALIKE)
        .unwrap_or_default()
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

fn below(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

fn text(schema: &Value, key: &str) -> String {
    schema[key].as_str().unwrap_or_default().replace('\n', " ")
}
