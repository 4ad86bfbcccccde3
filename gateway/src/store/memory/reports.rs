//! What the gateways that share an embedded store say of themselves.
//!
//! Guarantees: as many texts as may be read at a time, and no more. Must not: read them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::policy::ids::ReplicaId;
use crate::policy::units::StoreTime;
use crate::store::MOST_REPORTS;

/// Each replica's text and the instant from which it no longer holds.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<BTreeMap<ReplicaId, (StoreTime, String)>>);

impl Reports {
    pub(super) fn put(&self, replica: &ReplicaId, text: &str, until: StoreTime, now: StoreTime) {
        let mut reports = self.lock();
        reports.retain(|_, (until, _)| *until > now);
        if reports.len() < MOST_REPORTS || reports.contains_key(replica) {
            reports.insert(replica.clone(), (until, text.to_owned()));
        }
    }

    pub(super) fn remove(&self, replica: &ReplicaId) {
        self.lock().remove(replica);
    }

    pub(super) fn all(&self, now: StoreTime) -> Vec<(ReplicaId, String)> {
        let reports = self.lock();
        let living = reports.iter().filter(|(_, (until, _))| *until > now);
        living
            .map(|(replica, (_, text))| (replica.clone(), text.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ReplicaId, (StoreTime, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
