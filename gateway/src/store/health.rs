//! The store's own circuit breaker: after a few failed calls in a row nobody waits for the store until it is found again.
//!
//! Guarantees: shared by every thread's connection, so that each learns from all; asking costs one atomic load; a store that is
//! down is asked again only by [`watch`]. Must not: know what was asked or what a failure means to a request.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch as channel;
use tokio::time::sleep;

use super::{Store, StoreError};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Whether the store answers, as known to the whole process.
#[derive(Debug)]
pub struct Health {
    up: AtomicBool,
    failures: AtomicU32,
    threshold: u32,
    outages: AtomicU64,
    state: channel::Sender<State>,
    complaint: Mutex<Option<StoreError>>,
}

/// Whether the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does, as far as is known.
    Up,
    /// It does not, and this was the last straw.
    Down(StoreError),
}

impl Health {
    /// Health that counts as lost after `threshold` failed calls in a row. Up until proven otherwise.
    #[must_use]
    pub fn new(threshold: u32) -> Self {
        Self {
            up: AtomicBool::new(true),
            failures: AtomicU32::new(0),
            threshold: threshold.max(1),
            outages: AtomicU64::new(0),
            state: channel::Sender::new(State::Up),
            complaint: Mutex::new(None),
        }
    }

    /// Whether calls are worth making.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Every change, for logs and metrics.
    #[must_use]
    pub fn changes(&self) -> channel::Receiver<State> {
        self.state.subscribe()
    }

    /// How often the store was lost so far: a connection made before an outage is not used after it.
    pub(super) fn outages(&self) -> u64 {
        self.outages.load(Ordering::Acquire)
    }

    /// A call was answered. An answer that was under way when the store was lost does not bring it back: only a ping does.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A call failed for a reason that says something about the store.
    pub(super) fn failed(&self, error: StoreError) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures < self.threshold || !self.is_up() {
            return;
        }
        self.state.send_if_modified(|state| {
            let was_up = *state == State::Up;
            if was_up {
                *state = State::Down(error);
                self.outages.fetch_add(1, Ordering::Release);
                self.up.store(false, Ordering::Relaxed);
            }
            was_up
        });
    }

    /// The store said something is wrong that only a person can cure: logged in its own words, once, until it changes.
    pub(super) fn heard(&self, error: StoreError, words: &dyn Display) {
        if error.is_misconfiguration() && self.complain(Some(error)) {
            tracing::error!(
                event = "store_misconfigured",
                reason = error.label(),
                "{error}: {words}"
            );
        }
    }

    /// A connection was accepted: the next complaint is a new one.
    pub(super) fn heard_nothing_wrong(&self) {
        self.complain(None);
    }

    fn complain(&self, complaint: Option<StoreError>) -> bool {
        let mut last = self
            .complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *last, complaint) != complaint
    }

    /// A ping was answered.
    pub(super) fn found(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.state.send_if_modified(|state| {
            let was_down = *state != State::Up;
            *state = State::Up;
            self.up.store(true, Ordering::Relaxed);
            was_down
        });
    }
}

/// Looks for a lost store until it answers, for ever. Runs beside the requests, on a thread that serves none.
pub async fn watch(store: Store, health: &Health) {
    let mut changes = health.changes();
    loop {
        let lost = changes.wait_for(|state| *state != State::Up).await.is_ok();
        let mut pause = FIRST_PAUSE;
        while lost && !health.is_up() {
            sleep(jittered(pause)).await;
            if store.ping().await.is_ok() {
                break;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Between half of `pause` and all of it, so that replicas that lost the store together do not return together.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_in_a_row_lose_the_store_and_only_a_ping_finds_it() {
        let health = Health::new(3);
        let changes = health.changes();
        health.failed(StoreError::Timeout);
        health.failed(StoreError::Timeout);
        health.succeeded();
        health.failed(StoreError::Timeout);
        health.failed(StoreError::Timeout);
        assert!(health.is_up());
        health.failed(StoreError::Disconnected);
        assert!(!health.is_up());
        assert_eq!(*changes.borrow(), State::Down(StoreError::Disconnected));
        health.succeeded();
        assert!(!health.is_up());
        health.found();
        assert!(health.is_up());
        assert_eq!(health.outages(), 1);
    }
}
