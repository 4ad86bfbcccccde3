//! What a gateway is started with besides its configuration, and why it may not start. Must not: start one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::Source;
use crate::server::TlsError;
use crate::store::{OpenError, Store};
use crate::telemetry::logs::{Level, Writer};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::settings::LogFormat;

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address cannot be had.
    #[error("{what}: cannot listen on {address}: {error}")]
    Bind {
        /// The key of the listener.
        what: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The store's address or certificates cannot be used.
    #[error("store.url: {0}")]
    Store(#[from] OpenError),
    /// A certificate cannot be used any more: it could when the configuration was read.
    #[error("server.tls: {0}")]
    Tls(#[from] TlsError),
    /// The system refuses a thread.
    #[error("starting a thread: {0}")]
    Thread(#[from] io::Error),
}

/// What a gateway is given besides its configuration.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Where access lines go; none for no access log.
    pub access: Option<(Writer, LogFormat)>,
    /// An embedded store shared with others in this process.
    pub embedded: Option<Store>,
    /// The metrics to record into; new ones by default.
    pub metrics: Option<Arc<Metrics>>,
    /// The level of the process's log, to change while running.
    pub level: Option<Level>,
    /// Where the configuration came from, to read it again.
    pub source: Option<Source>,
}
