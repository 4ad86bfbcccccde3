//! What is logged and how, as configured. Must not: log.

use http::HeaderName;

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Logging as configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A level or a filter: `info`, `debug`, `gateway=debug,warn`.
    pub level: String,
    /// The form of each line; none picks text on a terminal and JSON elsewhere.
    pub format: Option<LogFormat>,
    /// Whether requests leave access lines.
    pub access: bool,
    /// What those lines hold.
    pub lines: AccessSettings,
}

/// Which requests leave an access line, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessSettings {
    /// The share of requests that went well to write, from 0 to 1; refusals and errors are all written.
    pub sample: f64,
    /// Whether the query is written.
    pub query: bool,
    /// Request headers to write.
    pub headers: Vec<HeaderName>,
    /// Headers whose values are not written.
    pub redact_headers: Vec<HeaderName>,
    /// Query parameters whose values are not written.
    pub redact_query: Vec<String>,
}

impl Default for AccessSettings {
    /// Every request, without its query and headers.
    fn default() -> Self {
        Self {
            sample: 1.0,
            query: false,
            headers: Vec::new(),
            redact_headers: Vec::new(),
            redact_query: Vec::new(),
        }
    }
}
