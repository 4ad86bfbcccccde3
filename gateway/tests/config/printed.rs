//! What `gateway check` and `gateway schema` print.

use std::collections::BTreeMap;

use gateway::config::schema;
use serde_json::Value;

use crate::example::EXAMPLE;
use crate::{UPSTREAM, load_text, load_variables, settings};

#[test]
fn the_effective_configuration_reads_back_the_same() {
    for variables in [
        &[UPSTREAM][..],
        &[("RETRY_MAX_ATTEMPTS", "3"), ("LOG_LEVEL", "debug")],
    ] {
        let config = load_text(
            ".toml",
            if variables.len() == 1 { "" } else { EXAMPLE },
            variables,
        )
        .unwrap();
        let again = load_text(".toml", config.effective(), &[]).unwrap();
        assert_eq!(
            settings(&config),
            settings(&again),
            "{}",
            config.effective()
        );
    }
    let none = load_text(".toml", "routes = []", &[UPSTREAM]).unwrap();
    let again = load_text(".toml", none.effective(), &[]).unwrap();
    assert_eq!(settings(&none), settings(&again));
}

#[test]
fn the_effective_configuration_says_which_variable_had_a_part() {
    let config = load_variables(&[UPSTREAM, ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "2")]).unwrap();
    let line = |start: &str| {
        let found = config
            .effective()
            .lines()
            .find(|line| line.starts_with(start));
        found
            .unwrap_or_else(|| panic!("no {start} in\n{}", config.effective()))
            .to_owned()
    };
    assert!(line("endpoints").ends_with(" # UPSTREAM_URL"));
    assert!(line("circuit").ends_with(" # CIRCUIT_BREAKER_FAILURE_THRESHOLD"));
    assert!(!line("connect_timeout").contains('#'));
}

/// Every key of the schema, with its description: `upstreams.NAME.timeout`.
fn keys(schema: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (key, value) in properties {
            keys(value, &below(key), found);
        }
    } else if let Some(entry @ Value::Object(_)) = schema.get("additionalProperties") {
        keys(entry, &below("NAME"), found);
    } else if let Some(entry) = schema
        .get("items")
        .filter(|items| items.get("properties").is_some())
    {
        keys(entry, &format!("{path}[]"), found);
    } else {
        let description = schema["description"].as_str().unwrap_or_default();
        found.insert(path.to_owned(), description.replace('\n', " "));
    }
}

fn schema_keys() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    keys(&schema(), "", &mut found);
    found
}

#[test]
fn the_schema_has_every_key_of_an_effective_configuration() {
    let known = schema_keys();
    let config = load_text(".toml", EXAMPLE, &[]).unwrap();
    let mut table = String::new();
    let mut checked = 0;
    for line in config.effective().lines() {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let named = table
                .split_once('.')
                .map(|(section, _)| format!("{section}.NAME"));
            let table = if table == "routes" {
                "routes[]".to_owned()
            } else {
                named.unwrap_or(table.clone())
            };
            let key = format!("{table}.{key}");
            let is_known = |known: &String| {
                let below = known.strip_prefix(&key);
                below.is_some_and(|rest| matches!(rest.as_bytes(), [] | [b'.' | b'[', ..]))
            };
            assert!(known.keys().any(is_known), "{key}");
            checked += 1;
        }
    }
    assert!(checked > 40, "only {checked} keys were checked");
    assert_eq!(schema()["additionalProperties"], Value::Bool(false));
    assert!(
        !schema().to_string().contains("null"),
        "a key is left out, never null"
    );
}
