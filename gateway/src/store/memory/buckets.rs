//! The embedded store's buckets: sharded, bounded, and forgotten only once full.
//!
//! Guarantees: no more than the configured number of buckets is ever held, and none is forgotten while a client still owes it
//! tokens: what is unknown counts as full, so forgetting earlier would be a gift. When every place is owed, a *new* client gets
//! [`StoreError::Full`] and its limit's policy for a missing store decides. Known clients go on exactly as before. The work per
//! call is bounded: a sweep looks at a few entries, never at all. Must not: await while a shard is locked.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use crate::policy::ids::BucketId;
use crate::policy::token_bucket::Bucket;
use crate::policy::units::StoreTime;
use crate::store::StoreError;

/// More than the threads of one process, so that two of them seldom want the same lock.
const SHARDS: usize = 64;
/// Entries looked at for each new one: more than one, so that the sweep outruns the growth.
const SWEEP: usize = 4;
/// Entries looked at when there is no place left.
const DEEP_SWEEP: usize = 64;

/// Every bucket that is not known to be full.
#[derive(Debug)]
pub(super) struct Buckets {
    shards: Box<[Mutex<Shard>]>,
    places: usize,
    hasher: RandomState,
}

/// An index map, because its entries can be walked a few at a time and removed by position.
#[derive(Debug, Default)]
struct Shard {
    buckets: IndexMap<BucketId, Bucket, RandomState>,
    cursor: usize,
}

impl Buckets {
    /// Room for about `most` buckets: at least one a shard.
    pub(super) fn new(most: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            places: most.div_ceil(SHARDS).max(1),
            hasher: RandomState::default(),
        }
    }

    /// Lets `change` work on the bucket. One that was unknown is full; it is kept only if `change` left it otherwise.
    pub(super) fn update<T>(
        &self,
        id: &BucketId,
        now: StoreTime,
        change: impl FnOnce(&mut Bucket) -> T,
    ) -> Result<T, StoreError> {
        let mut shard = self.shard(id);
        if let Some(bucket) = shard.buckets.get_mut(id) {
            return Ok(change(bucket));
        }
        shard.sweep(now, SWEEP);
        if shard.buckets.len() >= self.places {
            shard.sweep(now, DEEP_SWEEP);
            if shard.buckets.len() >= self.places {
                return Err(StoreError::Full);
            }
        }
        let mut bucket = Bucket::default();
        let answer = change(&mut bucket);
        if bucket.full_at() > now {
            shard.buckets.insert(id.clone(), bucket);
        }
        Ok(answer)
    }

    /// The bucket as it is.
    pub(super) fn get(&self, id: &BucketId) -> Bucket {
        self.shard(id).buckets.get(id).copied().unwrap_or_default()
    }

    /// Makes the bucket full.
    pub(super) fn forget(&self, id: &BucketId) {
        self.shard(id).buckets.swap_remove(id);
    }

    fn shard(&self, id: &BucketId) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(id);
        // The remainder is below 64, whatever the width of a pointer.
        let index = (hash % SHARDS as u64) as usize;
        // Nothing panics under the lock, and a bucket is one number: there is no half-made state to fear.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Looks at the next `count` entries and drops those that are full again.
    fn sweep(&mut self, now: StoreTime, count: usize) {
        for _ in 0..count.min(self.buckets.len()) {
            if self.cursor >= self.buckets.len() {
                self.cursor = 0;
            }
            match self.buckets.get_index(self.cursor) {
                Some((_, bucket)) if bucket.full_at() <= now => {
                    // The last entry takes its place and is looked at next.
                    self.buckets.swap_remove_index(self.cursor);
                }
                _ => self.cursor += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::ids::ClientId;
    use crate::policy::token_bucket::{Ask, BucketSpec, Taken};

    fn id(client: u64) -> BucketId {
        BucketId {
            policy: "p".into(),
            client: ClientId::Text(client.to_string().into()),
        }
    }

    fn held(buckets: &Buckets) -> usize {
        let len = |shard: &Mutex<Shard>| shard.lock().unwrap().buckets.len();
        buckets.shards.iter().map(len).sum()
    }

    fn take(buckets: &Buckets, client: u64, now: StoreTime) -> Result<Taken, StoreError> {
        let spec = BucketSpec::new(2, "1/s".parse().unwrap()).unwrap();
        buckets.update(&id(client), now, |bucket| {
            bucket.take(&spec, Ask::exactly(1), now)
        })
    }

    const T0: StoreTime = StoreTime::new(1_700_000_000_000_000);

    #[test]
    fn a_full_house_refuses_newcomers_and_serves_whom_it_knows() {
        let buckets = Buckets::new(SHARDS);
        let known: Vec<u64> = (0..2_000)
            .filter(|client| take(&buckets, *client, T0).is_ok())
            .collect();
        assert_eq!(known.len(), SHARDS);
        assert_eq!(held(&buckets), SHARDS);
        assert_eq!(take(&buckets, 9_999, T0), Err(StoreError::Full));
        for client in known {
            assert_eq!(take(&buckets, client, T0).map(|taken| taken.granted), Ok(1));
            assert_eq!(take(&buckets, client, T0).map(|taken| taken.granted), Ok(0));
        }
    }

    #[test]
    fn full_buckets_make_room() {
        let buckets = Buckets::new(SHARDS);
        for client in 0..2_000 {
            let _ = take(&buckets, client, T0);
        }
        let later = T0.after(crate::policy::units::Micros::from_secs(2));
        assert!(take(&buckets, 9_999, later).is_ok());
    }

    #[test]
    fn a_long_stream_of_strangers_stays_small() {
        let buckets = Buckets::new(1_000_000);
        for client in 0..20_000_u64 {
            let now = T0.after(crate::policy::units::Micros::from_millis(client));
            take(&buckets, client, now).unwrap();
        }
        // A bucket is owed for one second here: a thousand strangers at a time, and the sweep lags by a few rounds at most.
        assert!(held(&buckets) < 3_000, "{}", held(&buckets));
    }
}
