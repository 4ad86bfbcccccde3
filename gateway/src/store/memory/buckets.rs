//! The embedded store's buckets, and what the other algorithms keep in their place: sharded, bounded, and forgotten only once full.
//!
//! Guarantees: no more than the configured weight of buckets is ever held (a token bucket weighs one), and none is forgotten while a client still owes it
//! tokens: what is unknown counts as full, so forgetting earlier would be a gift. When every place is owed, a *new* client gets
//! [`StoreError::Full`] and its limit's policy for a missing store decides. Known clients go on exactly as before. The work per
//! call is bounded: a sweep looks at a few entries, never at all. Must not: await while a shard is locked.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use crate::policy::concurrency::Slots;
use crate::policy::ids::BucketId;
use crate::policy::token_bucket::Bucket;
use crate::policy::units::StoreTime;
use crate::policy::window::fixed::FixedWindow;
use crate::policy::window::log::SlidingLog;
use crate::policy::window::sliding::SlidingWindow;
use crate::store::StoreError;

/// More than the threads of one process, so that two of them seldom want the same lock.
const SHARDS: usize = 64;
/// Entries looked at for each new one: more than one, so that the sweep outruns the growth.
const SWEEP: usize = 4;
/// Entries looked at when there is no place left.
const DEEP_SWEEP: usize = 64;

/// What is kept of one client under one limit. What is unknown is full.
pub(super) trait Kept: Default {
    /// Whether it may grow once it is kept.
    const GROWS: bool = false;

    /// From then on it need not be kept.
    fn full_at(&self) -> StoreTime;

    /// How much of the room it takes.
    fn weight(&self) -> usize {
        1
    }
}

impl Kept for Bucket {
    fn full_at(&self) -> StoreTime {
        Self::full_at(self)
    }
}

/// A state that does not say itself when it is full again.
#[derive(Debug, Default)]
pub(super) struct Timed<S> {
    pub(super) state: S,
    pub(super) full_at: StoreTime,
}

impl Kept for Timed<FixedWindow> {
    fn full_at(&self) -> StoreTime {
        self.full_at
    }
}

impl Kept for Timed<SlidingWindow> {
    fn full_at(&self) -> StoreTime {
        self.full_at
    }
}

impl Kept for Timed<SlidingLog> {
    const GROWS: bool = true;

    fn full_at(&self) -> StoreTime {
        self.full_at
    }

    fn weight(&self) -> usize {
        1 + self.state.len() / 4
    }
}

impl Kept for Slots {
    const GROWS: bool = true;

    fn full_at(&self) -> StoreTime {
        self.until()
    }

    fn weight(&self) -> usize {
        1 + self.len() / 2
    }
}

/// Every bucket that is not known to be full.
#[derive(Debug)]
pub(super) struct Buckets<K = Bucket> {
    shards: Box<[Mutex<Shard<K>>]>,
    places: usize,
    hasher: RandomState,
}

/// An index map, because its entries can be walked a few at a time and removed by position.
#[derive(Debug)]
struct Shard<K> {
    buckets: IndexMap<BucketId, K, RandomState>,
    weight: usize,
    cursor: usize,
}

impl<K> Default for Shard<K> {
    fn default() -> Self {
        Self {
            buckets: IndexMap::default(),
            weight: 0,
            cursor: 0,
        }
    }
}

impl<K: Kept> Buckets<K> {
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
        change: impl FnOnce(&mut K) -> T,
    ) -> Result<T, StoreError> {
        let mut shard = self.shard(id);
        if K::GROWS {
            shard.make_room(now, self.places)?;
        }
        let change = match shard.change(id, change) {
            Ok(answer) => return Ok(answer),
            Err(change) => change,
        };
        shard.sweep(now, SWEEP);
        shard.make_room(now, self.places)?;
        let mut bucket = K::default();
        let answer = change(&mut bucket);
        if bucket.full_at() > now {
            shard.weight += bucket.weight();
            shard.buckets.insert(id.clone(), bucket);
        }
        Ok(answer)
    }

    /// Lets `change` work on the bucket, if it is known: for what makes it no larger.
    pub(super) fn known<T>(&self, id: &BucketId, change: impl FnOnce(&mut K) -> T) -> Option<T> {
        self.shard(id).change(id, change).ok()
    }

    /// Makes the bucket full.
    pub(super) fn forget(&self, id: &BucketId) {
        let mut shard = self.shard(id);
        if let Some(bucket) = shard.buckets.swap_remove(id) {
            shard.weight -= bucket.weight();
        }
    }

    fn shard(&self, id: &BucketId) -> MutexGuard<'_, Shard<K>> {
        let hash = self.hasher.hash_one(id);
        // The remainder is below 64, whatever the width of a pointer.
        let index = (hash % SHARDS as u64) as usize;
        // Nothing panics under the lock, and a bucket is changed by one decision: there is no half-made state to fear.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kept + Clone> Buckets<K> {
    /// The bucket as it is.
    pub(super) fn get(&self, id: &BucketId) -> K {
        self.shard(id).buckets.get(id).cloned().unwrap_or_default()
    }
}

impl<K: Kept> Shard<K> {
    /// Lets `change` work on the bucket; gives it back when the bucket is unknown.
    fn change<T, C: FnOnce(&mut K) -> T>(&mut self, id: &BucketId, change: C) -> Result<T, C> {
        let Some(bucket) = self.buckets.get_mut(id) else {
            return Err(change);
        };
        let before = bucket.weight();
        let answer = change(bucket);
        self.weight = self.weight + bucket.weight() - before;
        Ok(answer)
    }

    /// Looks closely for what may be dropped when there is no place left.
    fn make_room(&mut self, now: StoreTime, places: usize) -> Result<(), StoreError> {
        if self.weight >= places {
            self.sweep(now, DEEP_SWEEP);
        }
        if self.weight >= places {
            return Err(StoreError::Full);
        }
        Ok(())
    }

    /// Looks at the next `count` entries and drops those that are full again.
    fn sweep(&mut self, now: StoreTime, count: usize) {
        for _ in 0..count.min(self.buckets.len()) {
            if self.cursor >= self.buckets.len() {
                self.cursor = 0;
            }
            match self.buckets.get_index(self.cursor) {
                Some((_, bucket)) if bucket.full_at() <= now => {
                    self.weight -= bucket.weight();
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
        let len = |shard: &Mutex<Shard<Bucket>>| shard.lock().unwrap().buckets.len();
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
        let buckets = Buckets::<Bucket>::new(SHARDS);
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
        let buckets = Buckets::<Bucket>::new(SHARDS);
        for client in 0..2_000 {
            let _ = take(&buckets, client, T0);
        }
        let later = T0.after(crate::policy::units::Micros::from_secs(2));
        assert!(take(&buckets, 9_999, later).is_ok());
    }

    #[test]
    fn a_long_stream_of_strangers_stays_small() {
        let buckets = Buckets::<Bucket>::new(1_000_000);
        for client in 0..20_000_u64 {
            let now = T0.after(crate::policy::units::Micros::from_millis(client));
            take(&buckets, client, now).unwrap();
        }
        // A bucket is owed for one second here: a thousand strangers at a time, and the sweep lags by a few rounds at most.
        assert!(held(&buckets) < 3_000, "{}", held(&buckets));
    }
}
