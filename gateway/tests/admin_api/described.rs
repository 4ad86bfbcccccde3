//! The description of the API, held to what the API answers.

use serde_json::{Map, Value, json};
use upstream_mock::{Mock, Settings};

use super::support::eventually;
use super::support::gateway::Gateway;
use super::{get, post};

/// Left out where they say nothing.
const SOMETIMES: [&str; 1] = ["bounds"];

/// What is wrong with `value`, which `schema` describes.
fn differences(all: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = all.pointer(name.trim_start_matches('#')).expect(name);
        return differences(all, schema, value, place, found);
    }
    for key in ["oneOf", "anyOf"] {
        let Some(choices) = schema[key].as_array() else {
            continue;
        };
        let fits = |choice: &&Value| {
            let mut wrong = Vec::new();
            differences(all, choice, value, place, &mut wrong);
            wrong.is_empty()
        };
        if choices.iter().find(fits).is_none() {
            found.push(format!("{place}: nothing of {key} describes {value}"));
        }
        return;
    }
    if !is_of_type(&schema["type"], value) {
        found.push(format!("{place}: {} describes {value}", schema["type"]));
    }
    match value {
        Value::Array(items) => {
            for item in items {
                let place = format!("{place}[]");
                differences(all, &schema["items"], item, &place, found);
            }
        }
        Value::Object(fields) if schema["properties"].is_object() => {
            let described = schema["properties"].as_object().unwrap();
            compare(fields, described, place, found);
            for (key, value) in fields {
                if let Some(schema) = described.get(key) {
                    differences(all, schema, value, &format!("{place}.{key}"), found);
                }
            }
        }
        _ => {}
    }
}

fn compare(
    fields: &Map<String, Value>,
    described: &Map<String, Value>,
    place: &str,
    found: &mut Vec<String>,
) {
    let unknown = fields.keys().filter(|key| !described.contains_key(*key));
    found.extend(unknown.map(|key| format!("{place}.{key} is not described")));
    let missing = described.keys().filter(|key| !fields.contains_key(*key));
    let missing = missing.filter(|key| !SOMETIMES.contains(&key.as_str()));
    found.extend(missing.map(|key| format!("{place}.{key} is described and not there")));
}

fn is_of_type(described: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    };
    match described {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        _ => true,
    }
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Gateway::start(&mock.url(), &[]);
    let hold = json!({ "reason": "to have a transition" });
    for verb in ["open", "reset"] {
        let path = format!("/api/v1/circuits/default/{verb}");
        assert_eq!(post(gateway.admin(), &path, &hold).await.status, 200);
    }
    eventually("there is something of everything", || async {
        gateway.get("/proxy/ok").await;
        let fleet = get(gateway.admin(), "/api/v1/fleet").await.json();
        let has = |key: &str| !fleet[key].as_array().unwrap().is_empty();
        has("transitions")
            && has("audit")
            && !fleet["limits"][0]["clients"].as_array().unwrap().is_empty()
            && fleet["traffic"]["latency"]["p50"].is_number()
    })
    .await;
    let description = get(gateway.admin(), "/api/v1/openapi.json").await.json();
    let mut found = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let schema = &methods["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        if !schema.is_object() || path.ends_with("/openapi.json") {
            continue;
        }
        let query = if path.ends_with("/bucket") {
            "?client=127.0.0.1"
        } else {
            ""
        };
        let asked = format!("{}{query}", path.replace("{policy}", "per-client"));
        let answer = get(gateway.admin(), &asked).await;
        assert_eq!(answer.status, 200, "{asked}");
        differences(&description, schema, &answer.json(), path, &mut found);
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
}
