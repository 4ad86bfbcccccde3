//! Stopping: who is told, and who is waited for.
//!
//! Guarantees: a connection is told once; the count of open ones reaches zero exactly when the last is closed. Must not: close
//! anything by force — that is the worker's, when the deadline has passed.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Poll;

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
pub struct Drain {
    sender: Arc<watch::Sender<Phase>>,
    phase: Arc<AtomicU8>,
}

/// One that is told.
#[derive(Clone, Debug)]
pub struct Signal {
    receiver: watch::Receiver<Phase>,
    /// The same, for a look that costs next to nothing; never behind what wakes who waits.
    phase: Arc<AtomicU8>,
}

impl Drain {
    /// Nobody stops yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(Phase::Run)),
            phase: Arc::new(AtomicU8::new(Phase::Run as u8)),
        }
    }

    /// Moves on to `phase`; never back.
    pub fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Release);
        self.sender.send_if_modified(|current| {
            let moved = phase > *current;
            *current = phase.max(*current);
            moved
        });
    }

    /// Where the stop is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.sender.borrow()
    }

    /// For one that is told.
    #[must_use]
    pub fn signal(&self) -> Signal {
        Signal {
            receiver: self.sender.subscribe(),
            phase: Arc::clone(&self.phase),
        }
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
        let _ = self.receiver.wait_for(|current| *current >= phase).await;
    }

    /// What `work` comes to; none if the stop comes to `phase` first, or its owner is gone. For work that is woken often: the stop is
    /// waited for once, and from then on only looked at, which takes that all of it is polled by one task.
    pub(super) async fn during<F: Future>(
        &mut self,
        phase: Phase,
        mut work: Pin<&mut F>,
    ) -> Option<F::Output> {
        let now = Arc::clone(&self.phase);
        let mut reached = pin!(self.reached(phase));
        let mut waits = false;
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            if waits && now.load(Ordering::Acquire) < phase as u8 {
                return Poll::Pending;
            }
            waits = true;
            reached.as_mut().poll(cx).map(|()| None)
        })
        .await
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
