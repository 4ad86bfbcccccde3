//! Floor 5: composition. From a validated configuration to a running gateway, and back to nothing.
//!
//! Guarantees: what is bound is bound before anything runs, so that a port in use is an error and not a half-started process;
//! everything started is stopped and joined. Must not: decide anything about a request.

mod common;
mod background;
mod issuers;
mod listen;
mod live;
mod needs_restart;
mod endpoints;
mod observe;
mod operate;
mod purge;
mod report;
mod reload;
mod replica;
mod watch;
pub mod demo;
pub mod hash_key;
pub mod health;
pub mod run;
pub mod top;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use common::Common;
use listen::{Listeners, listen};
use live::Live;
use reload::Reloader;
pub use reload::{Outcome, ReloadError, Reloads};
use report::Place;

use crate::config::{Config, Source};
use crate::policy::ids::ReplicaId;
use crate::server::drain::{Drain, Phase};
use crate::server::{Caps, Entrance, Tls, TlsError, Worker, hand, spawn};
use crate::store::{OpenError, Store};
use crate::telemetry::logs::{Level, Writer};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::settings::LogFormat;
use crate::telemetry::traces;

/// Buckets the embedded store holds.
const EMBEDDED_BUCKETS: usize = 1_000_000;

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

/// A running gateway.
#[derive(Debug)]
pub struct App {
    proxy_address: SocketAddr,
    tls_address: Option<SocketAddr>,
    tls: Option<Arc<Tls>>,
    admin_address: SocketAddr,
    replica: ReplicaId,
    drain: Drain,
    workers: Vec<Worker>,
    background: JoinHandle<()>,
    stop_background: tokio::sync::oneshot::Sender<()>,
    live: Live,
    reloads: Reloads,
}

impl App {
    /// Binds, then starts every thread.
    ///
    /// # Errors
    /// [`StartError`] names what is at fault; nothing runs then.
    pub fn start(config: Config, given: &Given) -> Result<Self, StartError> {
        let Listeners {
            proxy: proxy_address,
            tls: tls_address,
            admin,
            doors,
        } = listen(&config)?;
        let admin_address = admin.address;
        let metrics = given.metrics.clone().unwrap_or_else(Metrics::new);
        let export = config.traces.export.as_ref();
        let (traces, spans) = export
            .map(|export| traces::queue(export.queue, Arc::clone(&metrics.trace_spans_dropped)))
            .unzip();
        let common = Common::new(config, given, metrics);
        // A store address that cannot work fails here, on the caller's thread, and not later on a worker's.
        common.store()?;
        let tls = common.config.server.tls.as_ref();
        let tls = tls
            .map(|settings| Tls::load(settings, &common.metrics))
            .transpose()?;
        let place = Place {
            proxy: proxy_address,
            admin: admin_address,
            started: Instant::now(),
        };
        let caps = Caps::new(
            common.config.server.max_connections,
            common.config.server.max_connections_per_address,
        );
        let live = Live::new(common.clone());
        endpoints::expose_all(&live, &common.metrics);
        observe::concurrency(&live, &common.metrics);
        let (hands, orders): (Vec<_>, Vec<_>) = doors.iter().map(|_| hand()).unzip();
        let reloader = Reloader {
            live: live.clone(),
            source: given.source.clone(),
            hands,
            caps: Arc::clone(&caps),
            tls: tls.clone(),
        };
        let (reloads, wishes) = reload::channel();
        let (stop_background, stopped) = tokio::sync::oneshot::channel();
        let tasks = background::Tasks {
            live: live.clone(),
            admin,
            place,
            tls: tls.clone(),
            reloader,
            reloads: reloads.clone(),
            wishes,
        };
        let background = background::spawn(tasks, spans, stopped)?;
        let entrance = Entrance::new(
            common.drain.signal(),
            caps,
            Arc::clone(&common.metrics),
            tls.clone(),
        );
        let mut workers = Vec::new();
        for (index, (doors, orders)) in doors.into_iter().zip(orders).enumerate() {
            let (common, traces) = (common.clone(), traces.clone());
            let settings = Arc::clone(&common.config);
            let entrance = entrance.clone();
            workers.push(spawn(
                index,
                doors,
                &settings.server,
                entrance,
                orders,
                move || common.proxy(index, traces),
            )?);
        }
        tracing::info!(
            event = "started",
            proxy = %proxy_address,
            tls = tls_address.map(tracing::field::display),
            admin = %admin_address,
            workers = workers.len(),
            store = %common.store_name(),
            replica = %common.replica,
        );
        let Common { replica, drain, .. } = common;
        Ok(Self {
            proxy_address,
            tls_address,
            tls,
            admin_address,
            replica,
            drain,
            workers,
            background,
            stop_background,
            live,
            reloads,
        })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn proxy_address(&self) -> SocketAddr {
        self.proxy_address
    }

    /// Where clients speak TLS, if anywhere: the same, or a listener of its own.
    #[must_use]
    pub const fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Where to ask for the configuration to be read again.
    #[must_use]
    pub const fn reloads(&self) -> &Reloads {
        &self.reloads
    }

    /// Reads certificates, keys and authorities again. Without TLS there is nothing to do.
    ///
    /// # Errors
    /// [`TlsError`] names the file at fault; what was used before stays.
    pub fn reload_certificates(&self) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Where operators connect.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// What tells this gateway from the others.
    #[must_use]
    pub const fn replica(&self) -> &ReplicaId {
        &self.replica
    }

    /// Stops: readiness fails, then the listeners close, then requests in flight end, then the threads. Blocks until then.
    pub fn stop(self) {
        tracing::info!(event = "draining");
        self.drain.enter(Phase::Leave);
        pause(self.live.get().config.server.drain_delay);
        self.drain.enter(Phase::Drain);
        for worker in self.workers {
            if let Err(error) = worker.join() {
                tracing::error!(event = "worker_failed", %error);
            }
        }
        let _ = self.stop_background.send(());
        if self.background.join().is_err() {
            tracing::error!(event = "background_failed");
        }
        tracing::info!(event = "stopped");
    }
}

/// Waits on the calling thread, which has nothing else to do; a spurious wake-up does not shorten it.
fn pause(span: Duration) {
    let end = Instant::now() + span;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}
