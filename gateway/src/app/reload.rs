//! A new configuration in place of the old one, while everything runs.
//!
//! Guarantees: it is read and validated whole, and every worker has made what it needs of it, before anything changes; a failure on
//! the way changes nothing, and log, metric and API say so. What stays as it was keeps its state: buckets and leases, circuits,
//! endpoints and their health, connections on both sides. Reloads come one at a time. Must not: restart a thread or close a listener.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::common::Common;
use super::live::Live;
use super::{issuers, needs_restart, observe};
use crate::admin::in_force::ReloadView;
use crate::config::{self, Problems, Source};
use crate::proxy::Proxy;
use crate::server::{Caps, Change, Hand, Staged, Tls, TlsError};
use crate::telemetry::logs;

/// Reloads that may wait: more of them would do the same again.
const WAITING: usize = 8;
/// How long a worker may take to make a proxy; it serves nobody meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a configuration did not come into force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It is wrong: every problem of it.
    #[error(transparent)]
    Config(#[from] Problems),
    /// A worker could not make anything of it.
    #[error("a worker: {0}")]
    Worker(#[from] io::Error),
    /// Its certificates cannot be used.
    #[error("server.tls: {0}")]
    Tls(#[from] TlsError),
    /// The gateway was not told where its configuration comes from, or stops.
    #[error(
        "this gateway cannot reload: it stops, or does not know where its configuration came from"
    )]
    Unable,
}

/// What came of a reload: the keys whose new value waits for a restart.
pub type Outcome = Result<Vec<&'static str>, ReloadError>;

struct Wish {
    cause: &'static str,
    answer: oneshot::Sender<Outcome>,
}

/// Where reloads are asked for.
#[derive(Clone, Debug)]
pub struct Reloads {
    wishes: mpsc::Sender<Wish>,
    source: Option<Source>,
}

/// Where they arrive.
pub(super) struct Wishes(mpsc::Receiver<Wish>);

/// Reloads of what `source` leads to.
pub(super) fn channel(source: Option<Source>) -> (Reloads, Wishes) {
    let (wishes, receiver) = mpsc::channel(WAITING);
    (Reloads { wishes, source }, Wishes(receiver))
}

impl Reloads {
    /// Has the configuration read again, and waits for what comes of it. `cause` says in the log what asked for it.
    ///
    /// # Errors
    /// [`ReloadError`] says why everything is as it was before.
    pub async fn ask(&self, cause: &'static str) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        let sent = self.wishes.send(Wish { cause, answer }).await;
        sent.map_err(|_| ReloadError::Unable)?;
        outcome.await.unwrap_or(Err(ReloadError::Unable))
    }

    /// The same without waiting for a place: what comes of it arrives later.
    pub(super) fn order(
        &self,
        cause: &'static str,
    ) -> Result<oneshot::Receiver<Outcome>, ReloadError> {
        let (answer, outcome) = oneshot::channel();
        let sent = self.wishes.try_send(Wish { cause, answer });
        sent.map_err(|_| ReloadError::Unable)?;
        Ok(outcome)
    }

    /// Whether the configuration could be read: for who wants to know before others are told to.
    pub(super) async fn check(&self) -> Result<(), ReloadError> {
        let source = self.source.clone().ok_or(ReloadError::Unable)?;
        let loading = tokio::task::spawn_blocking(move || config::load(&source));
        loading.await.map_err(io::Error::from)??;
        Ok(())
    }
}

/// The one that reloads.
pub(super) struct Reloader {
    pub(super) live: Live,
    pub(super) source: Option<Source>,
    pub(super) hands: Vec<Hand>,
    pub(super) caps: Arc<Caps>,
    pub(super) tls: Option<Arc<Tls>>,
}

impl Reloader {
    /// Carries out what is asked for, for ever.
    pub(super) async fn carry_out(&self, mut wishes: Wishes) {
        while let Some(Wish { cause, answer }) = wishes.0.recv().await {
            let outcome = self.reload().await;
            self.tell(cause, &outcome);
            // Whoever asked may have gone; log and metric say it as well.
            let _ = answer.send(outcome);
        }
        std::future::pending().await
    }

    async fn reload(&self) -> Outcome {
        let source = self.source.clone().ok_or(ReloadError::Unable)?;
        let loading = tokio::task::spawn_blocking(move || config::load(&source));
        let mut config = loading.await.map_err(io::Error::from)??;
        let before = self.live.get();
        let waiting = needs_restart::keep(&before.config, &mut config);
        issuers::keep_keys(&before.config, &mut config);
        let next = before.renewed(config);
        let staged = self.stage(&before, &next).await?;
        if let (Some(tls), Some(settings)) = (&self.tls, &next.config.server.tls) {
            tls.replace(settings)?;
        }
        // From here on nothing can fail.
        for worker in staged {
            worker.commit().await;
        }
        self.adopt(&before, next, &waiting);
        Ok(waiting)
    }

    /// Has every worker make its part. Dropped, what they made comes to nothing.
    async fn stage(&self, before: &Arc<Common>, next: &Common) -> io::Result<Vec<Staged>> {
        let mut staged = Vec::with_capacity(self.hands.len());
        for (index, hand) in self.hands.iter().enumerate() {
            let (next, old) = (next.clone(), Arc::clone(before));
            let change = Change {
                settings: next.config.server.clone(),
                build: Box::new(move |proxy: &Rc<Proxy>| next.proxy_after(index, proxy)),
                undo: Box::new(move |proxy: &Rc<Proxy>| {
                    proxy.limiter().replace(old.config.limits.clone());
                }),
            };
            let late = |_| io::Error::from(io::ErrorKind::TimedOut);
            staged.push(
                timeout(PATIENCE, hand.stage(change))
                    .await
                    .map_err(late)??,
            );
        }
        Ok(staged)
    }

    fn adopt(&self, before: &Common, next: Common, waiting: &[&'static str]) {
        let (old, new) = (&before.config, &next.config);
        let server = &new.server;
        self.caps
            .resize(server.max_connections, server.max_connections_per_address);
        if let Some(level) = next
            .level
            .as_ref()
            .filter(|_| old.log.level != new.log.level)
            && let Err(error) = level.set(&new.log.level)
        {
            tracing::warn!(event = "configuration", %error);
        }
        observe::exchange(&next.metrics, before, &next);
        next.in_force.set(|view| {
            new.effective().clone_into(&mut view.toml);
            view.loaded_at = logs::unix_millis();
            view.needs_restart = waiting.iter().map(ToString::to_string).collect();
        });
        for warning in &new.warnings {
            tracing::warn!(event = "configuration", "{warning}");
        }
        self.live.put(next);
    }

    fn tell(&self, cause: &'static str, outcome: &Outcome) {
        let common = self.live.get();
        let at = logs::unix_millis();
        let result = match outcome {
            Ok(waiting) => {
                common.metrics.process.config_loaded_at.set(seconds(at));
                tracing::info!(event = "config_reloaded", cause, needs_restart = ?waiting);
                "success"
            }
            Err(error) => {
                tracing::error!(event = "config_reload_failed", cause, %error);
                "failure"
            }
        };
        common.metrics.process.config_reloads.with(&[result]).inc();
        common.in_force.set(|view| {
            view.last_reload = Some(ReloadView {
                at,
                cause: cause.to_owned(),
                result: result.to_owned(),
                error: outcome.as_ref().err().map(ToString::to_string),
            });
        });
    }
}

/// Of Unix milliseconds, the seconds.
pub(super) fn seconds(millis: u64) -> i64 {
    i64::try_from(millis / 1_000).unwrap_or(i64::MAX)
}
