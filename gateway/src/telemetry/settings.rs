//! What is logged and how, as configured. Must not: log.

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
    /// Whether each request leaves an access line.
    pub access: bool,
}
