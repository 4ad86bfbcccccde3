//! Where an issuer's keys come from, for every thread: given once, or fetched again and again by somebody else.
//!
//! Guarantees: the last good set stays until there is a better one; a token signed with a key nobody knows has the set fetched anew, but
//! not more often than whoever fetches allows, and waits for it no longer than [`PATIENCE`]. Must not: fetch.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::Uri;
use jsonwebtoken::Algorithm;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::keyset::{KeySet, KeySetError};

/// How long a request waits for keys that are being fetched.
const PATIENCE: Duration = Duration::from_secs(3);

/// Keys that are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// From where.
    pub url: Uri,
    /// How often, when nobody asks for more.
    pub refresh: Duration,
    /// The algorithms keys are for.
    pub algorithms: Vec<Algorithm>,
}

/// An issuer's keys, as they are known now.
pub struct KeySource {
    remote: Option<Remote>,
    current: ArcSwapOption<KeySet>,
    wanted: Notify,
    resting: AtomicBool,
    rounds: watch::Sender<u64>,
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource")
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

impl KeySource {
    /// Keys that never change.
    #[must_use]
    pub fn fixed(keys: KeySet) -> Self {
        Self::new(None, Some(keys))
    }

    /// Keys that are fetched from somewhere, and not known yet.
    #[must_use]
    pub fn remote(remote: Remote) -> Self {
        Self::new(Some(remote), None)
    }

    fn new(remote: Option<Remote>, keys: Option<KeySet>) -> Self {
        Self {
            remote,
            current: ArcSwapOption::from_pointee(keys),
            wanted: Notify::new(),
            resting: AtomicBool::new(false),
            rounds: watch::Sender::new(0),
        }
    }

    /// From where they are to be fetched, if they are.
    #[must_use]
    pub const fn place(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// Takes what was fetched; the same set again changes nothing.
    ///
    /// # Errors
    /// It cannot be used. What was known stays.
    pub fn fetched(&self, json: &[u8]) -> Result<(), KeySetError> {
        let algorithms = self.remote.as_ref().map(|remote| &remote.algorithms[..]);
        let keys = KeySet::jwks(json, algorithms.unwrap_or_default())?;
        let known = self.current.load();
        if !known.as_ref().is_some_and(|known| known.is_same(&keys)) {
            self.current.store(Some(Arc::new(keys)));
        }
        Ok(())
    }

    /// Fetching is over, well or not: whoever waits may look. `resting`: asking again is of no use for now.
    pub fn rest(&self) {
        self.resting.store(true, Ordering::Release);
        self.rounds.send_modify(|rounds| *rounds += 1);
    }

    /// From now on fetching again is worth asking for.
    pub fn rested(&self) {
        self.resting.store(false, Ordering::Release);
    }

    /// Waits until somebody wants keys fetched.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// The keys, if any are known.
    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load_full()
    }

    /// Other keys than these, if there are any or soon will be.
    pub(super) async fn other_than(&self, known: Option<&Arc<KeySet>>) -> Option<Arc<KeySet>> {
        let other = || {
            let current = self.current()?;
            (!known.is_some_and(|known| Arc::ptr_eq(known, &current))).then_some(current)
        };
        let mut rounds = self.rounds.subscribe();
        if let Some(other) = other() {
            return Some(other);
        }
        if self.remote.is_none() || self.resting.load(Ordering::Acquire) {
            return None;
        }
        self.wanted.notify_one();
        let _ = timeout(PATIENCE, rounds.changed()).await;
        other()
    }
}
