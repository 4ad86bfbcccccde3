//! What is asked of a store for limits: one decision, one call, one key.
//!
//! Guarantees: both stores decide alike, for each algorithm. Must not: know who asks, or what for.

use super::{Store, StoreError};
use crate::policy::concurrency::{SlotId, SlotsSpec};
use crate::policy::ids::BucketId;
use crate::policy::limit::LimitSpec;
use crate::policy::token_bucket::{Ask, BucketSpec, Taken};
use crate::policy::units::{Micros, StoreTime};
use crate::policy::window::{Batch, WindowSpec};

impl Store {
    /// Debits what can be granted of `ask`.
    ///
    /// # Errors
    /// No decision; the bucket may have been debited all the same.
    pub async fn take(
        &self,
        bucket: &BucketId,
        spec: &BucketSpec,
        ask: Ask,
    ) -> Result<Taken, StoreError> {
        match self {
            Self::Memory(memory) => memory.take(bucket, spec, ask),
            Self::Redis(redis) => redis.take(bucket, spec, ask).await,
        }
    }

    /// Returns `tokens` debited at `debited_at`; false when that was more than `max_age` ago or the bucket is full already.
    ///
    /// # Errors
    /// No decision; the tokens may have been returned all the same.
    pub async fn give_back(
        &self,
        bucket: &BucketId,
        spec: &BucketSpec,
        tokens: u64,
        debited_at: StoreTime,
        max_age: Micros,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => memory.give_back(bucket, spec, tokens, debited_at, max_age),
            Self::Redis(redis) => {
                redis
                    .give_back(bucket, spec, tokens, debited_at, max_age)
                    .await
            }
        }
    }

    /// Counts what can be granted of `batch` in the window of now.
    ///
    /// # Errors
    /// No decision; the requests may have been counted all the same.
    pub async fn count(
        &self,
        bucket: &BucketId,
        spec: &WindowSpec,
        batch: Batch,
    ) -> Result<Taken, StoreError> {
        match self {
            Self::Memory(memory) => memory.count(bucket, spec, batch),
            Self::Redis(redis) => redis.count(bucket, spec, batch).await,
        }
    }

    /// Uncounts `tokens` of a request that was counted at `counted_at` and went nowhere; false when they count no longer.
    ///
    /// # Errors
    /// No decision; the tokens may have been uncounted all the same.
    pub async fn uncount(
        &self,
        bucket: &BucketId,
        spec: &WindowSpec,
        tokens: u64,
        counted_at: StoreTime,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.uncount(bucket, spec, tokens, counted_at)),
            Self::Redis(redis) => redis.uncount(bucket, spec, tokens, counted_at).await,
        }
    }

    /// Takes a slot from `id` on for each token that can be granted of `batch`, for the time of a lease.
    ///
    /// # Errors
    /// No decision; slots may have been taken all the same, until their lease ends.
    pub async fn acquire(
        &self,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        batch: Batch,
    ) -> Result<Taken, StoreError> {
        match self {
            Self::Memory(memory) => memory.acquire(bucket, spec, id, batch),
            Self::Redis(redis) => redis.acquire(bucket, spec, id, batch).await,
        }
    }

    /// Lets `count` slots go from `id` on; how many of them were known.
    ///
    /// # Errors
    /// No answer; the slots may have been let go all the same.
    pub async fn release(
        &self,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        count: u64,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.release(bucket, id, count)),
            Self::Redis(redis) => redis.release(bucket, spec, id, count).await,
        }
    }

    /// Holds `count` slots from `id` on for another lease; how many of them were known. Those that were not are taken again.
    ///
    /// # Errors
    /// No answer; the slots may be held all the same.
    pub async fn renew(
        &self,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        count: u64,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Memory(memory) => memory.renew(bucket, spec, id, count),
            Self::Redis(redis) => redis.renew(bucket, spec, id, count).await,
        }
    }

    /// What a limit would say to whoever asks it for nothing. Changes nothing.
    ///
    /// # Errors
    /// No answer.
    pub async fn inspect(&self, bucket: &BucketId, spec: &LimitSpec) -> Result<Taken, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.inspect(bucket, spec)),
            Self::Redis(redis) => redis.inspect(bucket, spec).await,
        }
    }

    /// Makes a bucket full, or a window or the slots empty, by an operator's wish, and tells every replica.
    ///
    /// # Errors
    /// The bucket may not have been reset, or not every replica may know.
    pub async fn forget(&self, bucket: &BucketId) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.forget(bucket);
                Ok(())
            }
            Self::Redis(redis) => redis.forget(bucket).await,
        }
    }
}
