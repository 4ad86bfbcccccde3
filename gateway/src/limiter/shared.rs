//! What the limiters of one process share: the local buckets for when the store is lost, the size of the fleet, the counts.
//!
//! Guarantees: nothing here is locked on a request's way. Must not: hold anything a limiter could decide from alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::hot::{Hot, HotClient};
use super::resets::Resets;
use super::tally::{Tally, Totals};
use crate::policy::ids::PolicyName;
use crate::store::Store;

/// One for each process, given to every thread's limiter.
#[derive(Debug)]
pub struct Shared {
    /// Buckets of this process alone.
    local: Store,
    live_replicas: AtomicU64,
    limiters: AtomicU64,
    counts: Mutex<Counts>,
    pub(super) resets: Resets,
    pub(super) hot: Hot,
}

#[derive(Debug, Default)]
struct Counts {
    running: Vec<(PolicyName, Arc<Tally>)>,
    past: BTreeMap<PolicyName, Totals>,
}

impl Shared {
    /// What the limiters of this process share; one replica is known to live.
    #[must_use]
    pub fn new(local: Store) -> Arc<Self> {
        Arc::new(Self {
            local,
            live_replicas: AtomicU64::new(1),
            limiters: AtomicU64::new(0),
            counts: Mutex::default(),
            resets: Resets::default(),
            hot: Hot::default(),
        })
    }

    /// How many replicas live, as the last heartbeat that was answered said. At least this one does.
    pub fn set_live_replicas(&self, replicas: u64) {
        self.live_replicas.store(replicas.max(1), Ordering::Relaxed);
    }

    /// How many replicas were last known to live.
    #[must_use]
    pub fn live_replicas(&self) -> u64 {
        self.live_replicas.load(Ordering::Relaxed)
    }

    /// An operator reset the bucket of `client`: every thread voids what it remembers of it, at its next [`super::Limiter::tick`].
    pub fn forget(&self, policy: &PolicyName, client: &str) {
        self.resets.push(Some((policy.clone(), client.to_owned())));
    }

    /// Resets may have been missed: every thread voids all it remembers of the store.
    pub fn forget_all(&self) {
        self.resets.push(None);
    }

    /// The counts of every policy, over all threads and since the start.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<PolicyName, Totals> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals = counts.past.clone();
        for (name, tally) in &counts.running {
            totals.entry(name.clone()).or_default().add(tally);
        }
        totals
    }

    /// Of each limit the clients that are refused or have least left, as the threads found in the last second or two.
    #[must_use]
    pub fn hottest(&self) -> BTreeMap<PolicyName, Vec<HotClient>> {
        self.hot.of_all()
    }

    pub(super) const fn local(&self) -> &Store {
        &self.local
    }

    /// The divisor of what one ask may hold ahead: all limiters of all replicas together never hold more than about a quarter.
    pub(super) fn share(&self) -> u64 {
        let limiters = self.limiters.load(Ordering::Relaxed).max(1);
        self.live_replicas()
            .saturating_mul(limiters)
            .saturating_mul(4)
    }

    pub(super) fn joined(&self) {
        self.limiters.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn left(&self) {
        self.limiters.fetch_sub(1, Ordering::Relaxed);
    }

    /// A tally of `name` for one thread to write. Those whose thread is gone are added up and forgotten.
    pub(super) fn tally(&self, name: &PolicyName) -> Arc<Tally> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { running, past } = &mut *counts;
        running.retain_mut(|(name, tally)| match Arc::get_mut(tally) {
            Some(ended) => {
                past.entry(name.clone()).or_default().add(ended);
                false
            }
            None => true,
        });
        let tally = Arc::new(Tally::default());
        running.push((name.clone(), Arc::clone(&tally)));
        tally
    }
}
