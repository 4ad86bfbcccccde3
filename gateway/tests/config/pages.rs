//! What is published of the configuration: the page of every key, and the schema that editors read.
//!
//! Both are made from the code. `make docs` writes them; without, they are compared.

use std::path::{Path, PathBuf};

use gateway::config::{reference, schema};
use serde_json::Value;

const BEGIN: &str = "<!-- Made by `make docs` from here -->\n";
const END: &str = "<!-- to here -->\n";

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name)
}

/// Compares what is published with what ought to be, or writes it.
fn publish(name: &str, published: &str, ought: &str) {
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(page(name), ought).unwrap();
        return;
    }
    let line = published
        .lines()
        .zip(ought.lines())
        .find(|(is, ought)| is != ought);
    assert!(
        published == ought,
        "docs/{name} is not what the code says: run `make docs`. The first difference: {line:#?}"
    );
}

#[test]
fn the_page_has_every_key() {
    let published = std::fs::read_to_string(page("configuration.md")).unwrap();
    let (before, rest) = published.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let reference = reference().unwrap();
    let ought = format!("{before}{BEGIN}{reference}\n{END}{after}");
    publish("configuration.md", &published, &ought);
}

#[test]
fn the_schema_is_published() {
    let name = "configuration.schema.json";
    let published = std::fs::read_to_string(page(name)).unwrap_or_default();
    publish(name, &published, &format!("{:#}\n", schema()));
}

#[test]
fn every_key_says_what_it_is() {
    let mut undescribed = Vec::new();
    undescribed_keys(&schema(), "", &mut undescribed);
    assert!(
        undescribed.is_empty(),
        "without a description: {undescribed:?}"
    );
}

#[test]
fn every_number_says_its_unit() {
    let mut without = Vec::new();
    numbers_without_unit(&schema(), "", &mut without);
    assert!(without.is_empty(), "without a unit: {without:?}");
}

fn numbers_without_unit(schema: &Value, path: &str, found: &mut Vec<String>) {
    let is_number = |schema: &Value| schema["type"] == "integer" || schema["type"] == "number";
    let counts = is_number(schema) || is_number(&schema["items"]);
    if counts && schema["x-unit"].as_str().unwrap_or_default().is_empty() {
        found.push(path.to_owned());
    }
    if let Some(keys) = schema["properties"].as_object() {
        for (key, value) in keys {
            numbers_without_unit(value, &format!("{path}.{key}"), found);
        }
    }
    for entry in [&schema["additionalProperties"], &schema["items"]] {
        if entry["properties"].is_object() {
            numbers_without_unit(entry, &format!("{path}[]"), found);
        }
    }
}

fn undescribed_keys(schema: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(keys) = schema["properties"].as_object() {
        for (key, value) in keys {
            let path = format!("{path}.{key}");
            if value["description"].as_str().unwrap_or_default().is_empty() {
                found.push(path.clone());
            }
            undescribed_keys(value, &path, found);
        }
    }
    for entry in [&schema["additionalProperties"], &schema["items"]] {
        if entry.is_object() {
            undescribed_keys(entry, &format!("{path}[]"), found);
        }
    }
}
