//! Answers in place of the gateway's as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Answers in place of the gateway's own, by what happened.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Answers {
    /// A limit is spent; else 429.
    pub(in super::super) limited: Option<Answer>,
    /// The circuit is open, or no endpoint takes requests; else 503.
    pub(in super::super) circuit_open: Option<Answer>,
    /// The upstream did not answer in time; else 504.
    pub(in super::super) timeout: Option<Answer>,
    /// No connection, or a broken response; else 502.
    pub(in super::super) bad_gateway: Option<Answer>,
    /// No credentials, or bad ones; else 401.
    pub(in super::super) unauthorized: Option<Answer>,
    /// Credentials that are not enough, or an address that is not let in; else 403.
    pub(in super::super) forbidden: Option<Answer>,
    /// No route takes the request; else 404. Only at the top level.
    pub(in super::super) not_found: Option<Answer>,
    /// A route has this path, none this method; else 405. Only at the top level.
    pub(in super::super) method_not_allowed: Option<Answer>,
    /// The gateway has more to do than it can; else 503.
    pub(in super::super) overloaded: Option<Answer>,
    /// The body, the head or the target is larger than allowed; else 413, 431 or 414.
    pub(in super::super) too_large: Option<Answer>,
    /// The request is malformed, ambiguous, or too slow; else 400 or 408.
    pub(in super::super) bad_request: Option<Answer>,
}

/// One answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Answer {
    /// The status; absent: the gateway's own.
    #[schemars(extend("x-unit" = "an HTTP status"))]
    pub(in super::super) status: Option<u16>,
    /// The media type of the body; absent: `application/json`.
    pub(in super::super) content_type: Option<String>,
    /// Headers to set, by name.
    pub(in super::super) headers: Option<BTreeMap<String, Value>>,
    /// The body; `{request_id}`, `{retry_after}`, `{route}`, `{client_ip}` and the path's parameters stand for what they say.
    pub(in super::super) body: Option<String>,
}

/// The header's value.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(in super::super) struct Value(pub(in super::super) String);
