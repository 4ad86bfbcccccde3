//! API keys in this process.
//!
//! Guarantees: at most [`MOST_KEYS`]. Must not: know a key, only its hash.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::store::StoreError;
use crate::store::api_key::{KeyHash, KeyRecord};

const MOST_KEYS: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct ApiKeys(Mutex<BTreeMap<KeyHash, KeyRecord>>);

impl ApiKeys {
    pub(super) fn recognise(&self, hash: &KeyHash) -> Option<KeyRecord> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(hash).cloned()
    }

    pub(super) fn enroll(&self, hash: &KeyHash, record: &KeyRecord) -> Result<(), StoreError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MOST_KEYS && !keys.contains_key(hash) {
            return Err(StoreError::Full);
        }
        keys.insert(*hash, record.clone());
        Ok(())
    }

    pub(super) fn revoke(&self, hash: &KeyHash) -> bool {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.remove(hash).is_some()
    }
}
