//! TOML to a tree.

use std::ops::Range;

use serde_json::{Map, Value};
use toml_edit::{Document, InlineTable, Item, Key, Table};

use super::super::path::KeyPath;
use super::super::problem::Problem;
use super::super::tree::Tree;
use super::File;

/// Reads a TOML document.
pub(super) fn parse(text: &str, file: &File) -> Result<Tree, Problem> {
    let lines = Lines::of(text);
    let document = Document::parse(text).map_err(|error| {
        let message = format!("this is not TOML: {}", error.message());
        file.malformed(lines.of_span(error.span()), KeyPath::default(), &message)
    })?;
    let mut reader = Reader {
        tree: Tree::new(Value::Null),
        lines,
        file,
    };
    let root = reader.table(document.as_table(), &KeyPath::default());
    *reader.tree.root_mut() = root;
    Ok(reader.tree)
}

/// One TOML value, as a variable may hold it: `5`, `true`, `["a", "b"]`, `{ attempts = 3 }`.
pub(in super::super) fn value(text: &str) -> Option<Value> {
    let value: toml_edit::Value = text.trim().parse().ok()?;
    let mut reader = Reader {
        tree: Tree::new(Value::Null),
        lines: Lines::of(text),
        file: &File(std::path::Path::new("").into()),
    };
    Some(reader.value(&value, &KeyPath::default()))
}

struct Reader<'a> {
    tree: Tree,
    lines: Lines,
    file: &'a File,
}

impl Reader<'_> {
    fn table(&mut self, table: &Table, path: &KeyPath) -> Value {
        let entries = table
            .iter()
            .map(|(name, item)| (name, table.key(name), item));
        self.entries(entries, path)
    }

    fn inline(&mut self, table: &InlineTable, path: &KeyPath) -> Value {
        let mut read = Map::new();
        for (name, value) in table.iter() {
            let at = path.key(name);
            self.sign(
                &at,
                table.key(name).and_then(Key::span).or_else(|| value.span()),
            );
            read.insert(name.to_owned(), self.value(value, &at));
        }
        Value::Object(read)
    }

    fn entries<'t>(
        &mut self,
        entries: impl Iterator<Item = (&'t str, Option<&'t Key>, &'t Item)>,
        path: &KeyPath,
    ) -> Value {
        let mut read = Map::new();
        for (name, key, item) in entries {
            let at = path.key(name);
            // A table's own span is its header; the key's span is the first place that mentions it.
            let header = item.as_table().and_then(Table::span);
            let span = header
                .or_else(|| key.and_then(Key::span))
                .or_else(|| item.span());
            self.sign(&at, span);
            read.insert(name.to_owned(), self.item(item, &at));
        }
        Value::Object(read)
    }

    fn item(&mut self, item: &Item, path: &KeyPath) -> Value {
        match item {
            Item::None => Value::Null,
            Item::Value(value) => self.value(value, path),
            Item::Table(table) => self.table(table, path),
            Item::ArrayOfTables(tables) => {
                let mut read = Vec::with_capacity(tables.len());
                for (index, table) in tables.iter().enumerate() {
                    let at = path.index(index);
                    self.sign(&at, table.span());
                    read.push(self.table(table, &at));
                }
                Value::Array(read)
            }
        }
    }

    fn value(&mut self, value: &toml_edit::Value, path: &KeyPath) -> Value {
        match value {
            toml_edit::Value::String(text) => text.value().as_str().into(),
            toml_edit::Value::Integer(number) => (*number.value()).into(),
            toml_edit::Value::Float(number) if !number.value().is_finite() => {
                number.value().to_string().into()
            }
            toml_edit::Value::Float(number) => (*number.value()).into(),
            toml_edit::Value::Boolean(flag) => (*flag.value()).into(),
            // No key takes a date; as a text it is refused with what was expected.
            toml_edit::Value::Datetime(date) => date.value().to_string().into(),
            toml_edit::Value::InlineTable(table) => self.inline(table, path),
            toml_edit::Value::Array(list) => {
                let mut read = Vec::with_capacity(list.len());
                for (index, value) in list.iter().enumerate() {
                    let at = path.index(index);
                    self.sign(&at, value.span());
                    read.push(self.value(value, &at));
                }
                Value::Array(read)
            }
        }
    }

    fn sign(&mut self, path: &KeyPath, span: Option<Range<usize>>) {
        if let Some(span) = span {
            let origin = self.file.line(self.lines.of_span(Some(span)));
            self.tree.sign(path, origin);
        }
    }
}

/// Where each line ends, to turn offsets into lines.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn of_span(&self, span: Option<Range<usize>>) -> usize {
        let start = span.map_or(0, |span| span.start);
        1 + self.0.partition_point(|end| *end < start)
    }
}
