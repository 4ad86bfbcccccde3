//! Stopping: who is told, and who is waited for.
//!
//! Guarantees: a connection is told once; the count of open ones reaches zero exactly when the last is closed. Must not: close
//! anything by force — that is the worker's, when the deadline has passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Run,
    /// Serving, but saying so to nobody: readiness fails.
    Leave,
    /// No new connections; those open end after the request in flight.
    Drain,
}

/// The one that decides.
#[derive(Clone, Debug)]
pub struct Drain(Arc<watch::Sender<Phase>>);

/// One that is told.
#[derive(Clone, Debug)]
pub struct Signal(watch::Receiver<Phase>);

impl Drain {
    /// Nobody stops yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Run)))
    }

    /// Moves on to `phase`; never back.
    pub fn enter(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let moved = phase > *current;
            *current = phase.max(*current);
            moved
        });
    }

    /// Where the stop is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// For one that is told.
    #[must_use]
    pub fn signal(&self) -> Signal {
        Signal(self.0.subscribe())
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Signal {
    /// Waits until the stop has come to `phase`, or its owner is gone.
    pub async fn reached(&mut self, phase: Phase) {
        // The error says that the sender is gone, which is a stop as well.
        let _ = self.0.wait_for(|current| *current >= phase).await;
    }
}

/// Whether the process is ready for traffic: a flag the background sets and `/readyz` reads.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<AtomicBool>);

impl Ready {
    /// Says so.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// What was said.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
