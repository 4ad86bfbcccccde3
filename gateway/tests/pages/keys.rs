//! Configuration keys that are named exist, in the pages and in what deploys.

use std::collections::BTreeSet;

use gateway::config::schema;
use serde_json::Value;

use super::{files, none, pages, root};

/// Words with dots that look like keys and are none, and what they are.
const OTHERS: &[(&str, &str)] = &[
    ("limits.conf", "a file of the system"),
    ("redis.enabled", "a value of the chart"),
    ("tls.secret", "a value of the chart"),
    ("tls.clientCaConfigMap", "a value of the chart"),
    ("tls.crt", "a key of a Secret"),
    ("keys.toml", "a file of keys"),
    ("store.existingSecret", "a value of the chart"),
    ("upstream.healthchecks.passive", "Kong's"),
    ("sticky.cookie", "Traefik's"),
];

/// Every path of keys; `*` stands for a name the reader gives.
fn paths() -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    walk(&schema(), &mut Vec::new(), &mut found);
    found
}

fn walk(schema: &Value, path: &mut Vec<String>, found: &mut BTreeSet<Vec<String>>) {
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        path.push(key.clone());
        found.insert(path.clone());
        walk(value, path, found);
        path.pop();
    }
    if schema["additionalProperties"].is_object() {
        path.push("*".to_owned());
        found.insert(path.clone());
        walk(&schema["additionalProperties"], path, found);
        path.pop();
    }
    walk_each(&schema["items"], path, found);
    for several in ["anyOf", "oneOf", "allOf"] {
        for one in schema[several].as_array().into_iter().flatten() {
            walk_each(one, path, found);
        }
    }
}

fn walk_each(schema: &Value, path: &mut Vec<String>, found: &mut BTreeSet<Vec<String>>) {
    if schema.is_object() {
        walk(schema, path, found);
    }
}

/// Whether `words` are a stretch of a path; a word in capitals stands for any name.
fn known(paths: &BTreeSet<Vec<String>>, words: &[String]) -> bool {
    let any = |word: &String| word.chars().all(|c| c.is_ascii_uppercase());
    let same = |(key, word): (&String, &String)| key == word || key == "*" || any(word);
    paths.iter().any(|path| {
        path.windows(words.len())
            .any(|part| part.iter().zip(words).all(same))
    })
}

/// The parts of what may be a key: `section.key`, `[section.NAME]`, `section.key = "value"`.
fn parts(code: &str) -> Option<Vec<String>> {
    let key = code.split([' ', '=']).next()?;
    let key = key
        .strip_prefix('[')
        .and_then(|key| key.strip_suffix(']'))
        .unwrap_or(key);
    let words: Vec<String> = key
        .split('.')
        .map(|word| word.trim_end_matches("[]").to_owned())
        .collect();
    let plain = |word: &String| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    (words.len() > 1 && words.iter().all(plain)).then_some(words)
}

#[test]
fn every_key_that_is_named_exists() {
    let paths = paths();
    let mut wrong = Vec::new();
    for page in pages() {
        for (place, code) in page.spans() {
            let Some(words) = parts(&code) else { continue };
            let ours = paths.iter().any(|path| path.contains(&words[0]));
            let other = OTHERS.iter().any(|(other, _)| code.starts_with(other));
            let file = root().join(&code).exists() || code.ends_with(".md");
            if ours && !other && !file && !known(&paths, &words) {
                wrong.push(format!("{place}: `{code}`"));
            }
        }
    }
    none("keys that do not exist", &wrong);
}

/// Also in manifests, Compose files and units: a variable with a mistake in it stops the gateway at its start.
#[test]
fn every_variable_names_a_key() {
    let paths = paths();
    let places = [
        "docs/",
        "k8s/",
        "charts/",
        "deploy/",
        "docker-compose",
        "README",
    ];
    let mut wrong = Vec::new();
    for file in files() {
        if !places.iter().any(|place| file.starts_with(place)) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else {
            continue;
        };
        for rest in text.split("GATEWAY__").skip(1) {
            let end = rest
                .find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_')
                .unwrap_or(rest.len());
            let name = &rest[..end];
            let words: Vec<String> = name
                .to_lowercase()
                .split("__")
                .filter(|word| word.parse::<u32>().is_err())
                .map(str::to_owned)
                .collect();
            if !variable(&paths, &words) && !name.is_empty() && name != "SECTION__KEY" {
                wrong.push(format!("{file}: GATEWAY__{name}"));
            }
        }
    }
    none("variables that name no key", &wrong);
}

/// A variable's path is whole; the name of a route stands where a file has its number.
fn variable(paths: &BTreeSet<Vec<String>>, words: &[String]) -> bool {
    let mut words = words.to_vec();
    if words.first().is_some_and(|first| first == "routes")
        && words.len() > 2
        && !paths.contains(&words)
    {
        words.remove(1);
    }
    let same = |(key, word): (&String, &String)| key == word || key == "*";
    paths
        .iter()
        .any(|path| path.len() == words.len() && path.iter().zip(&words).all(same))
}
