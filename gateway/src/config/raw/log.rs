//! `[log]` as written. Must not: relate one key to another.

use schemars::JsonSchema;
use serde::Deserialize;

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
}
