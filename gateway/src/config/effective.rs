//! The effective configuration as a TOML file: what `gateway check` prints.
//!
//! Guarantees: reads back as the same configuration, except that passwords are masked. Must not: print a secret.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::path::{KeyPath, is_bare};
use super::problem::Origin;
use super::secret;
use super::shape::Shape;
use super::tree::Tree;

/// The sections in the order a reader expects them.
const SECTIONS: [&str; 9] = [
    "server",
    "admin",
    "store",
    "log",
    "upstreams",
    "auth",
    "limits",
    "answers",
    "routes",
];

/// The text of `tree`.
pub(super) fn text(tree: &Tree, shape: &Shape) -> String {
    let mut printer = Printer {
        tree,
        text: String::new(),
    };
    for section in SECTIONS {
        let path = KeyPath::default().key(section);
        if let (Some(value), Some(shape)) = (tree.get(&path), shape.below(section)) {
            printer.section(&path, value, shape);
        }
    }
    printer.text
}

struct Printer<'a> {
    tree: &'a Tree,
    text: String,
}

impl Printer<'_> {
    fn section(&mut self, path: &KeyPath, value: &Value, shape: &Shape) {
        match (shape, value) {
            (Shape::Map(below), Value::Object(entries)) => {
                for (name, entry) in entries {
                    self.table(&path.key(name), &header(path, name), entry, below);
                }
            }
            (Shape::List(below), Value::Array(entries)) if !entries.is_empty() => {
                for (index, entry) in entries.iter().enumerate() {
                    self.table(&path.index(index), &format!("[[{path}]]"), entry, below);
                }
            }
            (Shape::List(_), _) => {
                // A key outside any table must come before the first of them.
                self.text.insert_str(0, &format!("{path} = []\n\n"));
            }
            _ => self.table(path, &format!("[{path}]"), value, shape),
        }
    }

    fn table(&mut self, path: &KeyPath, header: &str, value: &Value, shape: &Shape) {
        let Value::Object(entries) = value else {
            return;
        };
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(header);
        for (key, value) in entries {
            let place = path.key(key);
            let (name, value) = (quoted(key), inline(value, shape.below(key)));
            let source = self.source(&place);
            self.line(&format!("{name} = {value}{source}"));
        }
    }

    fn line(&mut self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// Names the variables that had a part in a value; what a file says needs no explanation.
    fn source(&self, path: &KeyPath) -> String {
        let own = self.tree.origin(path);
        let within = self.tree.origins_within(path).chain([&own]);
        let names: BTreeSet<&str> = within
            .filter_map(|origin| match origin {
                Origin::Variable(name) => Some(&**name),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            return String::new();
        }
        let names: Vec<&str> = names.into_iter().collect();
        format!(" # {}", names.join(", "))
    }
}

fn header(section: &KeyPath, name: &str) -> String {
    format!("[{section}.{}]", quoted(name))
}

fn quoted(key: &str) -> String {
    if is_bare(key) {
        key.to_owned()
    } else {
        string(key)
    }
}

/// JSON's escapes are TOML's, but for one sign that TOML wants escaped as well.
fn string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A value as TOML has it in one line; of what `shape` says is secret nothing.
pub(super) fn inline(value: &Value, shape: Option<&Shape>) -> String {
    match value {
        _ if matches!(shape, Some(Shape::Leaf { whole: true, .. })) => string(secret::MASK),
        Value::String(text) if matches!(shape, Some(Shape::Leaf { secret: true, .. })) => {
            string(&secret::mask(text))
        }
        Value::String(text) => string(text),
        Value::Array(list) => {
            let below = match shape {
                Some(Shape::List(below)) => Some(&**below),
                _ => None,
            };
            let elements = list.iter().map(|element| inline(element, below));
            format!("[{}]", elements.collect::<Vec<_>>().join(", "))
        }
        Value::Object(table) => inline_table(table, shape),
        other => other.to_string(),
    }
}

fn inline_table(table: &Map<String, Value>, shape: Option<&Shape>) -> String {
    let entry = |(key, value): (&String, &Value)| {
        let below = shape.and_then(|shape| shape.below(key));
        format!("{} = {}", quoted(key), inline(value, below))
    };
    let entries: Vec<String> = table.iter().map(entry).collect();
    format!("{{ {} }}", entries.join(", "))
}
