//! The limits that are no token bucket: one script and one key for each algorithm.
//!
//! Guarantees: the key of each algorithm has a name of its own, so that a limit whose algorithm changed never meets what the other
//! left. Must not: decide anything here; the scripts do.

use deadpool_redis::redis::cmd;

use super::call::Request;
use super::script::{Invocation, Script, script};
use super::{Redis, Taken};
use crate::policy::concurrency::{SlotId, SlotsSpec};
use crate::policy::ids::BucketId;
use crate::policy::limit::LimitSpec;
use crate::policy::units::{Micros, StoreTime};
use crate::policy::window::{Batch, Counting, WindowSpec};
use crate::store::op::Op;
use crate::store::{Event, StoreError};

static FIXED_WINDOW: Script = script!("fixed_window.lua");
static SLIDING_WINDOW: Script = script!("sliding_window.lua");
static SLIDING_LOG: Script = script!("sliding_log.lua");
static CONCURRENCY: Script = script!("concurrency.lua");

/// A decision as the scripts answer it.
pub(super) fn taken([granted, remaining, retry_after, full_after, at]: [u64; 5]) -> Taken {
    Taken {
        granted,
        remaining,
        retry_after: Micros::new(retry_after),
        full_after: Micros::new(full_after),
        at: StoreTime::new(at),
    }
}

impl Redis {
    pub(in crate::store) async fn count(
        &self,
        bucket: &BucketId,
        spec: &WindowSpec,
        batch: Batch,
    ) -> Result<Taken, StoreError> {
        self.count_as(Op::Take, bucket, spec, batch).await
    }

    async fn count_as(
        &self,
        op: Op,
        bucket: &BucketId,
        spec: &WindowSpec,
        batch: Batch,
    ) -> Result<Taken, StoreError> {
        let call = self
            .windowed(bucket, spec, "take")
            .arg(batch.requests)
            .arg(batch.cost);
        self.run(op, call).await.map(taken)
    }

    pub(in crate::store) async fn uncount(
        &self,
        bucket: &BucketId,
        spec: &WindowSpec,
        tokens: u64,
        counted_at: StoreTime,
    ) -> Result<bool, StoreError> {
        let call = self
            .windowed(bucket, spec, "give_back")
            .arg(tokens)
            .arg(counted_at.get());
        let returned: u64 = self.run(Op::GiveBack, call).await?;
        Ok(returned == 1)
    }

    fn windowed(&self, bucket: &BucketId, spec: &WindowSpec, verb: &str) -> Invocation {
        let (script, key) = match spec.counting() {
            Counting::Fixed => (&FIXED_WINDOW, self.keys().fixed_window(bucket)),
            Counting::Sliding => (&SLIDING_WINDOW, self.keys().sliding_window(bucket)),
            Counting::Log => (&SLIDING_LOG, self.keys().sliding_log(bucket)),
        };
        script
            .on(&key)
            .arg(verb)
            .arg(spec.limit())
            .arg(spec.window().get())
    }

    pub(in crate::store) async fn acquire(
        &self,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        batch: Batch,
    ) -> Result<Taken, StoreError> {
        self.acquire_as(Op::Take, bucket, spec, id, batch).await
    }

    async fn acquire_as(
        &self,
        op: Op,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        batch: Batch,
    ) -> Result<Taken, StoreError> {
        let call = self
            .slots(bucket, spec, "acquire", id)
            .arg(batch.requests)
            .arg(batch.cost);
        self.run(op, call).await.map(taken)
    }

    pub(in crate::store) async fn release(
        &self,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        count: u64,
    ) -> Result<u64, StoreError> {
        let call = self.slots(bucket, spec, "release", id).arg(count).arg(1);
        self.run(Op::GiveBack, call).await
    }

    pub(in crate::store) async fn renew(
        &self,
        bucket: &BucketId,
        spec: &SlotsSpec,
        id: SlotId,
        count: u64,
    ) -> Result<u64, StoreError> {
        let call = self.slots(bucket, spec, "renew", id).arg(count).arg(1);
        self.run(Op::Renew, call).await
    }

    fn slots(&self, bucket: &BucketId, spec: &SlotsSpec, verb: &str, id: SlotId) -> Invocation {
        CONCURRENCY
            .on(&self.keys().slots(bucket))
            .arg(verb)
            .arg(spec.limit())
            .arg(spec.lease().get())
            .arg(id.holder)
            .arg(id.first)
    }

    pub(in crate::store) async fn inspect(
        &self,
        bucket: &BucketId,
        spec: &LimitSpec,
    ) -> Result<Taken, StoreError> {
        match spec {
            LimitSpec::TokenBucket(spec) => self.look(bucket, spec).await,
            LimitSpec::Window(spec) => self.count_as(Op::Inspect, bucket, spec, Batch::NONE).await,
            LimitSpec::Concurrency(spec) => {
                self.acquire_as(Op::Inspect, bucket, spec, SlotId::NOBODY, Batch::NONE)
                    .await
            }
        }
    }

    /// Whatever the algorithm is now, or was before: all its keys are on one node.
    pub(in crate::store) async fn forget(&self, bucket: &BucketId) -> Result<(), StoreError> {
        let mut del = cmd("DEL");
        del.arg(self.keys().all_of(bucket).as_slice());
        self.ask(Op::Forget, &Request::Command(del)).await?;
        self.publish(&Event::BucketForgotten {
            policy: bucket.policy.clone(),
            client: bucket.client.to_string(),
        })
        .await
    }
}
