//! Floor 5: composition. From a validated configuration to a running gateway, and back to nothing.
//!
//! Guarantees: what is bound is bound before anything runs, so that a port in use is an error and not a half-started process;
//! everything started is stopped and joined. Must not: decide anything about a request.

mod common;
mod background;
mod issuers;
mod inherited;
mod listen;
mod live;
mod memory;
mod needs_restart;
mod endpoints;
mod given;
mod fleetwide;
mod observe;
mod operate;
mod purge;
mod report;
mod reload;
mod replica;
mod signals;
mod upgrade;
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
pub use given::{Given, StartError};
pub use inherited::Inherited;
use listen::{Kept, Listeners, listen};
use live::Live;
use reload::Reloader;
pub use reload::{Outcome, ReloadError, Reloads};
use report::Place;
pub use upgrade::UpgradeError;
use upgrade::{Program, Successor};

use crate::config::Config;
use crate::policy::ids::ReplicaId;
use crate::server::drain::{Drain, Phase};
use crate::server::{Caps, Door, Entrance, Orders, Tls, TlsError, Worker, hand, spawn};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::{self, Queue};

/// Buckets the embedded store holds.
const EMBEDDED_BUCKETS: usize = 1_000_000;

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
    stop_admin: Option<tokio::sync::oneshot::Sender<()>>,
    /// Handles of the listening sockets, for a successor.
    kept: Vec<Kept>,
    live: Live,
    reloads: Reloads,
}

impl App {
    /// Binds, then starts every thread.
    ///
    /// # Errors
    /// [`StartError`] names what is at fault; nothing runs then.
    pub fn start(config: Config, given: &Given) -> Result<Self, StartError> {
        Self::start_with(config, given, &mut Inherited::default())
    }

    /// The same on sockets that were there before.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        config: Config,
        given: &Given,
        inherited: &mut Inherited,
    ) -> Result<Self, StartError> {
        let Listeners {
            proxy: proxy_address,
            tls: tls_address,
            admin,
            doors,
            kept,
        } = listen(&config, inherited)?;
        let admin_address = admin.address;
        let metrics = given.metrics.clone().unwrap_or_else(Metrics::new);
        let export = config.traces.export.as_ref();
        let (traces, spans) = export
            .map(|export| {
                traces::queue(
                    export.queue,
                    Arc::clone(&metrics.process.trace_spans_dropped),
                )
            })
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
        let (reloads, wishes) = reload::channel(given.source.clone());
        let (stop_background, stopped) = tokio::sync::oneshot::channel();
        let (stop_admin, admin_stopped) = tokio::sync::oneshot::channel();
        let tasks = background::Tasks {
            live: live.clone(),
            admin,
            admin_stopped,
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
        let workers = workers(&common, doors, orders, &entrance, traces.as_ref())?;
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
            stop_admin: Some(stop_admin),
            kept,
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
    pub fn stop(mut self) {
        tracing::info!(event = "draining");
        self.drain.enter(Phase::Leave);
        pause(self.live.get().config.server.drain_delay);
        // Not one more may join a queue that nobody empties.
        self.kept.clear();
        self.end();
    }

    /// Starts `program` and hands the listening sockets over. Blocks until it is ready.
    fn succeed(&self, program: &Program) -> Result<Successor, UpgradeError> {
        program.succeed(&self.kept)
    }

    /// Stops in favour of a process that accepts from the same sockets: nobody has to look away first, and operators find that one.
    fn yield_to(mut self, successor: Successor) {
        drop(self.stop_admin.take());
        successor.go();
        self.drain.enter(Phase::Leave);
        self.end();
    }

    fn end(self) {
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

/// Starts a thread behind each set of doors. Spans go to `traces`, of which nobody keeps a handle but the workers.
fn workers(
    common: &Common,
    doors: Vec<Vec<Door>>,
    orders: Vec<Orders>,
    entrance: &Entrance,
    traces: Option<&Queue>,
) -> io::Result<Vec<Worker>> {
    let settings = Arc::clone(&common.config);
    let all = doors.into_iter().zip(orders).enumerate();
    all.map(|(index, (doors, orders))| {
        let (common, traces) = (common.clone(), traces.cloned());
        let proxy = move || common.proxy(index, traces);
        spawn(
            index,
            doors,
            &settings.server,
            entrance.clone(),
            orders,
            proxy,
        )
    })
    .collect()
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
