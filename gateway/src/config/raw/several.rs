//! Values of which there may be one or a list, and the words of limits' keys and of tokens.
//!
//! Guarantees: an error says what was written and what is expected. Must not: print a secret.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use http::HeaderName;
use jsonwebtoken::Algorithm;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::{Value, json};

use super::scalar::{Scalar, Text};
use crate::limiter::settings::KeyPart;

/// One value, or a list of them.
#[derive(Clone, Debug)]
pub(in super::super) struct OneOrMany<T>(pub(in super::super) Vec<T>);

impl<'de, T: Scalar> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words(PhantomData))
    }
}

struct Words<T>(PhantomData<T>);

impl<'de, T: Scalar> Visitor<'de> for Words<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list", T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let one = T::parse(text).map_err(E::custom)?;
        Ok(OneOrMany(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut many = Vec::new();
        while let Some(Text(one)) = list.next_element::<Text<T>>()? {
            many.push(one);
        }
        Ok(OneOrMany(many))
    }
}

impl<T: Scalar> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}, or a list", T::EXPECTED).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = Text::<T>::json_schema(generator).to_value();
        json_schema!({
            "type": ["string", "array"],
            "title": format!("{}, or a list", T::EXPECTED),
            "items": one,
        })
    }
}

impl Scalar for HeaderName {
    const EXPECTED: &'static str = "a header like `x-api-key`";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!("`{text}` is not the name of a header: write one like `x-api-key`")
        })
    }
}

impl Scalar for Algorithm {
    const EXPECTED: &'static str = "an algorithm like `RS256`";

    fn parse(text: &str) -> Result<Self, String> {
        let known =
            "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA";
        let hint = || format!("`{text}` is not an algorithm for tokens: write {known}");
        if text == "none" {
            return Err(format!("`none` is no signature: write {known}"));
        }
        text.parse().map_err(|_| hint())
    }
}

impl Scalar for KeyPart {
    const EXPECTED: &'static str = "a key to count by";

    fn parse(text: &str) -> Result<Self, String> {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        let known = match text.split_once(':') {
            Some(("header", name)) => name
                .parse::<HeaderName>()
                .ok()
                .map(|name| Self::Header(name.to_string())),
            Some(("cookie", name)) => named(name).map(Self::Cookie),
            Some(("claim", name)) => named(name).map(Self::Claim),
            Some(("path", name)) => named(name).map(Self::Path),
            Some(_) => None,
            None => match text {
                "client" => Some(Self::Client),
                "global" => Some(Self::Global),
                "route" => Some(Self::Route),
                "api_key" => Some(Self::ApiKey),
                "subject" => Some(Self::Subject),
                _ => None,
            },
        };
        known.ok_or_else(|| {
            format!("`{text}` is not a key to count by: write `client`, `global`, `route`, `api_key`, `subject`, `header:NAME`, `cookie:NAME`, `claim:NAME`, `path:PARAMETER`, or a list of them")
        })
    }

    fn hints() -> Value {
        json!({ "examples": ["client", "api_key", "header:x-tenant"] })
    }
}

impl Scalar for String {
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}
