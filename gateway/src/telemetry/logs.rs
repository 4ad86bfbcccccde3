//! Log lines: set-up of the subscriber.
//!
//! Events carry `event = "name"` and their facts as fields; the names operators may rely on are in `docs/operations.md`.
//! Must not: be used for decisions; write anything secret.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// The level, to change while running.
    pub level: Level,
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

/// Puts a filter in force; false when nobody listens.
type Reload = Arc<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// The level in force.
#[derive(Clone)]
pub struct Level {
    filter: Arc<Mutex<String>>,
    reload: Reload,
}

impl Level {
    /// A level or filter, as it was set last.
    #[must_use]
    pub fn get(&self) -> String {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        filter.clone()
    }

    /// Puts another level or filter in force, for this process.
    ///
    /// # Errors
    /// It cannot be read, or somebody else set up logging.
    pub fn set(&self, filter: &str) -> Result<(), LogError> {
        let refused = || LogError::Level(filter.to_owned());
        let parsed = EnvFilter::try_new(filter).map_err(|_| refused())?;
        if !(self.reload)(parsed) {
            return Err(refused());
        }
        let mut kept = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        filter.clone_into(&mut kept);
        Ok(())
    }
}

/// Whether a level or filter can be read.
///
/// # Errors
/// It cannot.
pub fn check_level(filter: &str) -> Result<(), LogError> {
    let parsed = EnvFilter::try_new(filter);
    parsed
        .map(drop)
        .map_err(|_| LogError::Level(filter.to_owned()))
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Level").field(&self.get()).finish()
    }
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
        .with_target(false)
        .with_timer(Clock)
        .with_writer(writer.clone());
    let (outcome, reload): (_, Reload) = match format {
        LogFormat::Json => {
            let builder = builder
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_env_filter(filter)
                .with_filter_reloading();
            let handle = builder.reload_handle();
            let reload: Reload = Arc::new(move |filter| handle.reload(filter).is_ok());
            (builder.try_init(), reload)
        }
        LogFormat::Text => {
            let builder = builder
                .with_ansi(io::stdout().is_terminal())
                .with_env_filter(filter)
                .with_filter_reloading();
            let handle = builder.reload_handle();
            let reload: Reload = Arc::new(move |filter| handle.reload(filter).is_ok());
            (builder.try_init(), reload)
        }
    };
    let level = Level {
        filter: Arc::new(Mutex::new(settings.level.clone())),
        reload,
    };
    if outcome.is_err() {
        tracing::debug!("a log subscriber was already there");
    }
    Ok(Logs {
        writer,
        format,
        level,
        flush,
    })
}

/// Now, in milliseconds since 1970, for people who compare it with a clock.
#[must_use]
pub fn unix_millis() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "operators compare it with a clock"
    )]
    let now = std::time::SystemTime::now();
    let now = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    u64::try_from(now.as_millisecond()).unwrap_or(0)
}

struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut FormatWriter<'_>) -> fmt::Result {
        writer.write_str(Stamp::default().now_text())
    }
}
