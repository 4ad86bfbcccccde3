//! What a route leads to, beside an upstream, as written. Must not: relate one key to another.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::answer::Value;
use super::scalar::Text;
use crate::policy::units::ByteSize;

/// One upstream of a split.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Share {
    /// Its name.
    pub(in super::super) upstream: Option<String>,
    /// Its part of the requests, beside the other weights; 0: none.
    #[schemars(extend("x-unit" = "parts"))]
    pub(in super::super) weight: Option<u32>,
}

/// Where a client is sent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Redirect {
    /// The place; `{host}`, `{uri}` (path and query), `{scheme}` and the path's parameters stand for what they say.
    pub(in super::super) to: Option<String>,
    /// To the same place over https. Beside a target of the route only what came unencrypted is redirected.
    pub(in super::super) https: Option<bool>,
    /// 301, 302, 303, 307 or 308; absent: 308.
    #[schemars(extend("x-unit" = "an HTTP status"))]
    pub(in super::super) status: Option<u16>,
}

/// Header fields to change: first removed, then set, then added.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Edits {
    /// Fields put in place of what is there; `{client_ip}`, `{request_id}`, `{route}` and the path's parameters stand for what
    /// they say.
    pub(in super::super) set: Option<BTreeMap<String, Value>>,
    /// Fields put beside what is there.
    pub(in super::super) add: Option<BTreeMap<String, Value>>,
    /// Fields taken off.
    pub(in super::super) remove: Option<List<String>>,
}

/// Copies of requests to a second upstream.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Mirror {
    /// Its name.
    pub(in super::super) upstream: Option<String>,
    /// The part of the requests that is copied, above 0 and at most 1; absent: 1.
    #[schemars(extend("x-unit" = "a share, 0 to 1"))]
    pub(in super::super) share: Option<f64>,
    /// Copies under way, on each worker; those beyond are dropped; absent: 64.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) max_in_flight: Option<u32>,
    /// The largest body that is copied; absent: 64KiB.
    pub(in super::super) max_body: Option<Text<ByteSize>>,
}
