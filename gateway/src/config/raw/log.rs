//! `[log]` as written. Must not: relate one key to another.

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::scalar::Text;
use crate::telemetry::settings::LogFormat;

/// Logs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Log {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or a filter like `gateway=debug,warn`.
    pub(in super::super) level: Option<String>,
    /// `json` or `text`; absent: text on a terminal, JSON elsewhere.
    pub(in super::super) format: Option<Text<LogFormat>>,
    /// Whether each request leaves an access line.
    pub(in super::super) access: Option<bool>,
    /// The share of requests without a refusal or an error that leave an access line, from 0 to 1; the others always do.
    #[schemars(extend("x-unit" = "a share, 0 to 1"))]
    pub(in super::super) sample: Option<f64>,
    /// Whether an access line holds the query, its values redacted by `redact_query`.
    pub(in super::super) query: Option<bool>,
    /// Request headers to add to each access line.
    pub(in super::super) headers: Option<List<String>>,
    /// Headers whose values are never written, whoever asks for them.
    pub(in super::super) redact_headers: Option<List<String>>,
    /// Query parameters whose values are never written.
    pub(in super::super) redact_query: Option<List<String>>,
}
