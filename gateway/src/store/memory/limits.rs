//! The embedded store's limits: what each algorithm keeps, and the decisions of `policy` under a lock.
//!
//! Guarantees: each algorithm has a room of its own, so that a limit whose algorithm changed never meets what the other left. Must
//! not: await while a shard is locked.

use super::Memory;
use super::buckets::{Buckets, Timed};
use crate::policy::concurrency::{SlotId, Slots, SlotsSpec};
use crate::policy::ids::BucketId;
use crate::policy::limit::LimitSpec;
use crate::policy::token_bucket::{Ask, BucketSpec, Taken};
use crate::policy::units::{Micros, StoreTime};
use crate::policy::window::fixed::FixedWindow;
use crate::policy::window::log::SlidingLog;
use crate::policy::window::sliding::SlidingWindow;
use crate::policy::window::{Batch, Counting, WindowSpec};
use crate::store::{Event, StoreError};

/// What is kept of every client under every limit.
#[derive(Debug)]
pub(super) struct Limits {
    buckets: Buckets,
    fixed: Buckets<Timed<FixedWindow>>,
    sliding: Buckets<Timed<SlidingWindow>>,
    logs: Buckets<Timed<SlidingLog>>,
    slots: Buckets<Slots>,
}

impl Limits {
    /// Room for about `most` of each.
    pub(super) fn new(most: usize) -> Self {
        Self {
            buckets: Buckets::new(most),
            fixed: Buckets::new(most),
            sliding: Buckets::new(most),
            logs: Buckets::new(most),
            slots: Buckets::new(most),
        }
    }
}

impl Memory {
    pub(in crate::store) fn take(
        &self,
        bucket: &BucketId,
        spec: &BucketSpec,
        ask: Ask,
    ) -> Result<Taken, StoreError> {
        let now = self.0.clock.now();
        let buckets = &self.0.limits.buckets;
        buckets.update(bucket, now, |bucket| bucket.take(spec, ask, now))
    }

    pub(in crate::store) fn give_back(
        &self,
        bucket: &BucketId,
        spec: &BucketSpec,
        tokens: u64,
        debited_at: StoreTime,
        max_age: Micros,
    ) -> Result<bool, StoreError> {
        let now = self.0.clock.now();
        self.0.limits.buckets.update(bucket, now, |bucket| {
            bucket.give_back(spec, tokens, debited_at, max_age, now)
        })
    }

    pub(in crate::store) fn count(
        &self,
        bucket: &BucketId,
        spec: &WindowSpec,
        batch: Batch,
    ) -> Result<Taken, StoreError> {
        let now = self.0.clock.now();
        let limits = &self.0.limits;
        match spec.counting() {
            Counting::Fixed => limits.fixed.update(bucket, now, |kept| {
                let taken = kept.state.take(spec, batch, now);
                kept.full_at = now.after(taken.full_after);
                taken
            }),
            Counting::Sliding => limits.sliding.update(bucket, now, |kept| {
                let taken = kept.state.take(spec, batch, now);
                kept.full_at = now.after(taken.full_after);
                taken
            }),
            Counting::Log => limits.logs.update(bucket, now, |kept| {
                let taken = kept.state.take(spec, batch, now);
                kept.full_at = now.after(taken.full_after);
                taken
            }),
        }
    }

    pub(in crate::store) fn uncount(
        &self,
        bucket: &BucketId,
        spec: &WindowSpec,
        tokens: u64,
        counted_at: StoreTime,
    ) -> bool {
        let now = self.0.clock.now();
        let limits = &self.0.limits;
        let known = match spec.counting() {
            Counting::Fixed => limits.fixed.known(bucket, |kept| {
                kept.state.give_back(spec, tokens, counted_at, now)
            }),
            Counting::Sliding => limits.sliding.known(bucket, |kept| {
                kept.state.give_back(spec, tokens, counted_at, now)
            }),
            Counting::Log => limits.logs.known(bucket, |kept| {
                kept.state.give_back(spec, tokens, counted_at, now)
            }),
        };
        known.unwrap_or(false)
    }

    pub(in crate::store) fn acquire(
        &self,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        batch: Batch,
    ) -> Result<Taken, StoreError> {
        let now = self.0.clock.now();
        let slots = &self.0.limits.slots;
        slots.update(bucket, now, |slots| slots.acquire(spec, id, batch, now))
    }

    pub(in crate::store) fn release(&self, bucket: &BucketId, id: SlotId, count: u64) -> u64 {
        let slots = &self.0.limits.slots;
        let known = slots.known(bucket, |slots| slots.release(id, count));
        known.unwrap_or(0)
    }

    pub(in crate::store) fn renew(
        &self,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        count: u64,
    ) -> Result<u64, StoreError> {
        let now = self.0.clock.now();
        let slots = &self.0.limits.slots;
        // What is known is renewed even where there is no room for more.
        if let Some(known) = slots.known(bucket, |slots| slots.renew(spec, id, count, now)) {
            return Ok(known);
        }
        slots.update(bucket, now, |slots| slots.renew(spec, id, count, now))
    }

    pub(in crate::store) fn inspect(&self, bucket: &BucketId, spec: &LimitSpec) -> Taken {
        let now = self.0.clock.now();
        let limits = &self.0.limits;
        match spec {
            LimitSpec::TokenBucket(spec) => {
                limits.buckets.get(bucket).take(spec, Ask::exactly(0), now)
            }
            LimitSpec::Window(spec) => {
                let nothing = Batch::NONE;
                let known = match spec.counting() {
                    Counting::Fixed => limits
                        .fixed
                        .known(bucket, |kept| kept.state.take(spec, nothing, now)),
                    Counting::Sliding => limits
                        .sliding
                        .known(bucket, |kept| kept.state.take(spec, nothing, now)),
                    Counting::Log => limits
                        .logs
                        .known(bucket, |kept| kept.state.take(spec, nothing, now)),
                };
                known.unwrap_or_else(|| FixedWindow::default().take(spec, nothing, now))
            }
            LimitSpec::Concurrency(spec) => {
                let (nobody, nothing) = (SlotId::NOBODY, Batch::NONE);
                let look = |slots: &mut Slots| slots.acquire(spec, nobody, nothing, now);
                let known = limits.slots.known(bucket, look);
                known.unwrap_or_else(|| Slots::default().acquire(spec, nobody, nothing, now))
            }
        }
    }

    pub(in crate::store) fn forget(&self, bucket: &BucketId) {
        let limits = &self.0.limits;
        limits.buckets.forget(bucket);
        limits.fixed.forget(bucket);
        limits.sliding.forget(bucket);
        limits.logs.forget(bucket);
        limits.slots.forget(bucket);
        self.publish(&Event::BucketForgotten {
            policy: bucket.policy.clone(),
            client: bucket.client.to_string(),
        });
    }
}
