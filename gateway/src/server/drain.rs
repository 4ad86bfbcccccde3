//! Stopping: who is told, and who is waited for.
//!
//! Guarantees: a connection is told once; the count of open ones reaches zero exactly when the last is closed. Must not: close
//! anything by force — that is the worker's, when the deadline has passed.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
    changes: Arc<AtomicU32>,
    /// Whether the process is to end: then there is no way back.
    is_ending: Arc<AtomicBool>,
}

/// One that is told.
#[derive(Clone, Debug)]
pub struct Signal {
    receiver: watch::Receiver<Phase>,
    /// How often the phase changed, for a look that costs next to nothing; never behind what wakes who waits.
    changes: Arc<AtomicU32>,
}

impl Drain {
    /// Nobody stops yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(Phase::Run)),
            changes: Arc::default(),
            is_ending: Arc::default(),
        }
    }

    /// Moves on to `phase`, on the way to the end; never back.
    pub fn enter(&self, phase: Phase) {
        self.is_ending.store(true, Ordering::SeqCst);
        self.change(|current| phase.max(current));
    }

    /// Leaves rotation, without an end in sight.
    pub fn step_out(&self) {
        self.change(|current| Phase::Leave.max(current));
    }

    /// Serves again after [`Self::step_out`]. False when the process is to end, or nobody had stepped out.
    pub fn step_in(&self) -> bool {
        self.change(|current| match current {
            Phase::Leave if !self.is_ending.load(Ordering::SeqCst) => Phase::Run,
            other => other,
        })
    }

    fn change(&self, to: impl FnOnce(Phase) -> Phase) -> bool {
        self.sender.send_if_modified(|current| {
            let before = std::mem::replace(current, to(*current));
            let moved = before != *current;
            if moved {
                self.changes.fetch_add(1, Ordering::Release);
            }
            moved
        })
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
            changes: Arc::clone(&self.changes),
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
    /// waited for once after each change, and otherwise only looked at, which takes that all of it is polled by one task.
    pub(super) async fn during<F: Future>(
        &mut self,
        phase: Phase,
        mut work: Pin<&mut F>,
    ) -> Option<F::Output> {
        let changes = Arc::clone(&self.changes);
        let mut reached = pin!(self.reached(phase));
        let mut seen = None;
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            let now = Some(changes.load(Ordering::Acquire));
            if std::mem::replace(&mut seen, now) == now {
                return Poll::Pending;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stepped_out_comes_back_unless_the_end_has_begun() {
        let drain = Drain::new();
        assert!(!drain.step_in(), "it is there");
        drain.step_out();
        assert_eq!(drain.phase(), Phase::Leave);
        assert!(drain.step_in());
        assert_eq!(drain.phase(), Phase::Run);
        drain.step_out();
        drain.enter(Phase::Leave);
        assert!(!drain.step_in());
        drain.enter(Phase::Drain);
        drain.step_out();
        assert_eq!(drain.phase(), Phase::Drain);
    }

    #[tokio::test]
    async fn work_is_told_of_the_end_however_often_its_replica_came_and_went_before() {
        let drain = Drain::new();
        let mut signal = drain.signal();
        let work = tokio::spawn(async move {
            let mut work = pin!(std::future::pending::<()>());
            signal.during(Phase::Drain, work.as_mut()).await
        });
        for _ in 0..3 {
            tokio::task::yield_now().await;
            drain.step_out();
            tokio::task::yield_now().await;
            drain.step_in();
        }
        tokio::task::yield_now().await;
        drain.enter(Phase::Drain);
        let told = tokio::time::timeout(std::time::Duration::from_secs(5), work).await;
        assert_eq!(told.unwrap().unwrap(), None);
    }
}
