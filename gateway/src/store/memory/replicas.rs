//! Which gateways share an embedded store. Must not: outlive the process that holds it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::policy::ids::ReplicaId;
use crate::policy::units::{Micros, StoreTime};
use crate::store::Fleet;

/// Each replica and the instant at which it counts as gone.
#[derive(Debug, Default)]
pub(super) struct Replicas(Mutex<BTreeMap<ReplicaId, StoreTime>>);

impl Replicas {
    /// Says that `replica` lives, and counts those that do.
    pub(super) fn heartbeat(&self, replica: &ReplicaId, lifetime: Micros, now: StoreTime) -> Fleet {
        let mut replicas = self.lock();
        replicas.retain(|_, gone_at| *gone_at > now);
        replicas.insert(replica.clone(), now.after(lifetime));
        Fleet {
            live: u32::try_from(replicas.len()).unwrap_or(u32::MAX),
            at: now,
        }
    }

    /// Says that `replica` is gone.
    pub(super) fn leave(&self, replica: &ReplicaId) {
        self.lock().remove(replica);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ReplicaId, StoreTime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
