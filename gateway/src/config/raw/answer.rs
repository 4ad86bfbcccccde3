//! A route's own answers as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Answers of the route's own in place of the gateway's, by what happened.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Answers {
    /// No credentials, or bad ones; else 401.
    pub(in super::super) unauthorized: Option<Answer>,
    /// An address or a token that may not come in; else 403.
    pub(in super::super) forbidden: Option<Answer>,
    /// A limit is spent; else 429.
    pub(in super::super) limited: Option<Answer>,
    /// The circuit is open, or no endpoint takes requests; else 503.
    pub(in super::super) circuit_open: Option<Answer>,
    /// The upstream did not answer in time; else 504.
    pub(in super::super) timeout: Option<Answer>,
    /// No connection, or a broken response; else 502.
    pub(in super::super) bad_gateway: Option<Answer>,
}

/// One answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Answer {
    /// The status; absent: the gateway's own.
    pub(in super::super) status: Option<u16>,
    /// The media type of the body; absent: `application/json`.
    pub(in super::super) content_type: Option<String>,
    /// Headers to set, by name.
    pub(in super::super) headers: Option<BTreeMap<String, Value>>,
    /// The body; `{request_id}`, `{retry_after}` and `{route}` stand for what they say.
    pub(in super::super) body: Option<String>,
}

/// The header's value.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(in super::super) struct Value(pub(in super::super) String);
