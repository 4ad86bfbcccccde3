//! Log lines: set-up of the subscriber.
//!
//! Events carry `event = "name"` and their facts as fields; the names operators may rely on are in `docs/operations.md`.
//! Must not: be used for decisions; write anything secret.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer as FormatWriter;
use tracing_subscriber::fmt::time::FormatTime;

use super::clock::Stamp;
use super::series::Counter;
use super::settings::{LogFormat, Settings};
pub use super::writer::{Flush, Writer};

/// Logging as set up.
#[derive(Debug)]
pub struct Logs {
    /// Where access lines go.
    pub writer: Writer,
    /// The form of each line.
    pub format: LogFormat,
    /// Keep until the very end of `main`.
    pub flush: Flush,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is no level and no filter.
    #[error("log.level: `{0}` is neither a level (error, warn, info, debug, trace) nor a filter")]
    Level(String),
    /// The system refused.
    #[error("starting the log: {0}")]
    Io(#[from] io::Error),
}

/// Sets up logging for the process. A subscriber that is already there (in tests) stays.
///
/// # Errors
/// A level that cannot be read, or a thread the system refuses.
pub fn init(settings: &Settings, dropped: Arc<Counter>) -> Result<Logs, LogError> {
    let filter =
        EnvFilter::try_new(&settings.level).map_err(|_| LogError::Level(settings.level.clone()))?;
    let format = settings.format.unwrap_or_else(|| {
        if io::stdout().is_terminal() {
            LogFormat::Text
        } else {
            LogFormat::Json
        }
    });
    let (writer, flush) = Writer::start(io::stdout(), dropped)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_timer(Clock)
        .with_writer(writer.clone());
    let outcome = match format {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
        LogFormat::Text => builder.with_ansi(io::stdout().is_terminal()).try_init(),
    };
    if outcome.is_err() {
        tracing::debug!("a log subscriber was already there");
    }
    Ok(Logs {
        writer,
        format,
        flush,
    })
}

struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut FormatWriter<'_>) -> std::fmt::Result {
        writer.write_str(Stamp::default().now())
    }
}
