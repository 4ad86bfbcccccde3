//! YAML to a tree: the same keys as TOML, in YAML's core schema.
//!
//! Anchors, aliases, tags of one's own and several documents are refused: a configuration reads top to bottom, once.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::super::path::KeyPath;
use super::super::problem::Problem;
use super::super::tree::Tree;
use super::File;

/// Deeper than any configuration, and shallow enough for any stack.
const MAX_DEPTH: usize = 32;

/// Reads a YAML document.
pub(super) fn parse(text: &str, file: &File) -> Result<Tree, Problem> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        tree: Tree::new(Value::Null),
        file,
    };
    let top = KeyPath::default();
    let mut root = Value::Object(Map::new());
    let mut documents = 0;
    loop {
        let (event, span) = reader.next(&top)?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if documents == 1 => return Err(reader.refuse(span, &top, "a second document")),
            event => {
                documents += 1;
                match reader.node(event, span, &top)? {
                    Value::Null => {}
                    value => root = value,
                }
            }
        }
    }
    *reader.tree.root_mut() = root;
    Ok(reader.tree)
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    tree: Tree,
    file: &'a File,
}

impl<'a> Reader<'a> {
    fn next(&mut self, path: &KeyPath) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let message = format!("this is not YAML: {}", error.info());
                let line = error.marker().line();
                Err(self.file.malformed(line, KeyPath::default(), &message))
            }
            None => Err(self.file.malformed(1, path.clone(), "the file ends early")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, path: &KeyPath) -> Result<Value, Problem> {
        if path.steps().len() > MAX_DEPTH {
            return Err(self.refuse(span, path, "a value nested this deep"));
        }
        match event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor > 0 =>
            {
                Err(self.refuse(span, path, "an anchor"))
            }
            Event::Scalar(text, style, _, tag) => scalar(&text, style, tag.as_deref())
                .ok_or_else(|| self.refuse(span, path, "a value with this tag")),
            Event::SequenceStart(..) => self.list(path),
            Event::MappingStart(..) => self.table(path),
            Event::Alias(_) => Err(self.refuse(span, path, "an alias")),
            _ => Err(self.refuse(span, path, "a document without a value")),
        }
    }

    fn list(&mut self, path: &KeyPath) -> Result<Value, Problem> {
        let mut list = Vec::new();
        loop {
            let (event, span) = self.next(path)?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(list));
            }
            let at = path.index(list.len());
            self.sign(&at, span);
            list.push(self.node(event, span, &at)?);
        }
    }

    fn table(&mut self, path: &KeyPath) -> Result<Value, Problem> {
        let mut table = Map::new();
        let mut seen = BTreeSet::new();
        loop {
            let (event, span) = self.next(path)?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Object(table)),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(self.refuse(span, path, "a key that is not a text")),
            };
            let at = path.key(&key);
            if !seen.insert(key.clone()) {
                let line = span.start.line();
                return Err(self.file.malformed(line, at, "this key is written twice"));
            }
            self.sign(&at, span);
            let (event, span) = self.next(&at)?;
            // `key:` with nothing after it is a key left out.
            match self.node(event, span, &at)? {
                Value::Null => {}
                value => {
                    table.insert(key, value);
                }
            }
        }
    }

    fn sign(&mut self, path: &KeyPath, span: Span) {
        let origin = self.file.line(span.start.line());
        self.tree.sign(path, origin);
    }

    fn refuse(&self, span: Span, path: &KeyPath, what: &str) -> Problem {
        let message = format!("{what} is not supported: write the value out");
        self.file
            .malformed(span.start.line(), path.clone(), &message)
    }
}

/// A scalar by YAML 1.2's core schema; none for a tag that is not of it.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Option<Value> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Some(text.into()),
        Some(_) => None,
        None if style != ScalarStyle::Plain => Some(text.into()),
        None => Some(plain(text)),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| text.into()),
    }
}

/// Numbers start with a digit, a sign or a point, which keeps `inf` and `nan` the words they are.
fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let digits = text.trim_start_matches(['+', '-', '.']);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    text.parse::<f64>().ok().map(Value::from)
}
