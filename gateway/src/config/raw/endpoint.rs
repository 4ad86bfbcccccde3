//! An upstream's endpoint as written: `http://HOST:PORT`, `https://` or `h2c://`, or a table of that and its weight.
//!
//! Guarantees: each thing that can be wrong with a URL is named. Must not: resolve or connect.

use std::borrow::Cow;
use std::fmt;

use http::uri::Authority;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Value, json};

use super::super::secret;
use super::scalar::{Scalar, Text};
use crate::upstream::settings::{EndpointSettings, Scheme};

/// An endpoint, as a URL or as a table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: Text<EndpointSettings>,
    weight: Option<u32>,
}

/// What stands in `endpoints`.
#[derive(Debug)]
pub(in super::super) struct Endpoint {
    /// Where it listens.
    pub(in super::super) settings: EndpointSettings,
    /// Its share beside the others'.
    pub(in super::super) weight: Option<u32>,
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Forms)
    }
}

struct Forms;

impl<'de> Visitor<'de> for Forms {
    type Value = Endpoint;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EndpointSettings::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Endpoint, E> {
        let settings = EndpointSettings::parse(text).map_err(E::custom)?;
        Ok(Endpoint {
            settings,
            weight: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Endpoint, A::Error> {
        let Table { url, weight } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Endpoint {
            settings: url.0,
            weight,
        })
    }
}

impl JsonSchema for Endpoint {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Endpoint".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut url = Text::<EndpointSettings>::json_schema(generator);
        url.insert(
            "description".to_owned(),
            "Where it listens: `http://HOST:PORT`, `https://HOST:PORT` or `h2c://HOST:PORT`."
                .into(),
        );
        json_schema!({
            "type": ["string", "object"],
            "examples": ["http://10.0.0.7:8080", { "url": "http://10.0.0.7:8080", "weight": 3 }],
            "properties": {
                "url": url,
                "weight": {
                    "description": "Its share of the requests beside the others', 1 to 100.",
                    "type": "integer",
                    "x-unit": "parts",
                    "minimum": 1,
                    "maximum": 100
                }
            },
            "required": ["url"],
            "additionalProperties": false
        })
    }
}

impl Scalar for EndpointSettings {
    const EXPECTED: &'static str = "a URL like `http://10.0.0.7:8080`";

    fn parse(text: &str) -> Result<Self, String> {
        let shown = secret::mask(text);
        let Some((scheme, rest)) = text.trim().split_once("://") else {
            return Err(no_scheme(text));
        };
        let scheme = known_scheme(scheme)?;
        let (authority, path) = rest
            .find(['/', '?', '#'])
            .map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(format!(
                "`{shown}` has credentials, which are not sent upstream: leave them out"
            ));
        }
        if !matches!(path, "" | "/") {
            return Err(format!(
                "`{shown}` goes beyond host and port: leave out `{path}`, and use a route's `rewrite` for paths"
            ));
        }
        Ok(Self {
            scheme,
            authority: known_authority(authority, &shown)?,
            weight: 1,
        })
    }

    fn hints() -> Value {
        json!({ "examples": ["http://10.0.0.7:8080", "https://api.internal", "h2c://10.0.0.7:50051"] })
    }
}

fn no_scheme(text: &str) -> String {
    match text.trim() {
        "" => "an endpoint is empty: write `http://HOST:PORT`".to_owned(),
        // What stands before an `@` may be a password.
        other if other.contains('@') => {
            "this URL has no scheme: write `http://HOST:PORT`".to_owned()
        }
        other => format!("`{other}` has no scheme: write `http://{other}`"),
    }
}

fn known_scheme(scheme: &str) -> Result<Scheme, String> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        "h2c" => Ok(Scheme::H2c),
        _ => Err(format!(
            "`{scheme}` is not a scheme of an upstream: write `http://HOST:PORT`, `https://HOST:PORT` or `h2c://HOST:PORT`"
        )),
    }
}

pub(super) fn known_authority(text: &str, shown: &str) -> Result<Authority, String> {
    // An IPv6 host has colons of its own, within brackets.
    let after_host = text.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match text.get(after_host..).and_then(|rest| rest.rfind(':')) {
        Some(at) => (text.get(..after_host + at), text.get(after_host + at + 1..)),
        None => (Some(text), None),
    };
    if host.is_none_or(str::is_empty) {
        return Err(format!("`{shown}` names no host: write `http://HOST:PORT`"));
    }
    if let Some(port) = port
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Err(format!(
            "`{port}` in `{shown}` is not a port: ports are 1 to 65535"
        ));
    }
    text.parse()
        .map_err(|_| format!("`{text}` is not a host and port: write `http://HOST:PORT`"))
}
