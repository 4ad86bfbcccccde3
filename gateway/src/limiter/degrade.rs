//! Deciding without the shared store.
//!
//! Guarantees: always an answer, at once. With `degrade`, the local buckets of all live replicas together refill no faster than
//! the shared one, and their windows admit no more in the long run, and all threads of a process share them. Must not: remember anything for when the store is back.

use super::entry::Demand;
use super::policies::Policy;
use super::settings::OnStoreFailure;
use super::shared::Shared;
use crate::policy::concurrency::SlotId;
use crate::policy::ids::BucketId;
use crate::policy::limit::LimitSpec;
use crate::policy::token_bucket::{Ask, Taken};
use crate::policy::units::{Micros, StoreTime};

/// How long a request waits that is refused only because the store is away.
const PAUSE: Micros = Micros::from_secs(1);

/// What the policy decides for `demand` while the store does not answer; `id` are the slots it would take.
pub(super) async fn take(
    shared: &Shared,
    policy: &Policy,
    bucket: &BucketId,
    demand: &Demand,
    id: SlotId,
) -> Taken {
    match policy.settings().on_store_failure {
        OnStoreFailure::Degrade => {
            let (local, parts) = (shared.local(), shared.live_replicas());
            let taken = match policy.spec() {
                LimitSpec::TokenBucket(spec) => {
                    let ask = Ask::exactly(demand.need);
                    local.take(bucket, &spec.divided(parts), ask).await
                }
                LimitSpec::Window(spec) => {
                    let part = spec.divided(parts);
                    local.count(bucket, &part, demand.batch).await
                }
                LimitSpec::Concurrency(spec) => {
                    let part = spec.divided(parts);
                    local.acquire(bucket, &part, id, demand.batch).await
                }
            };
            taken.unwrap_or(without_bucket(0, 0, PAUSE))
        }
        OnStoreFailure::Allow => {
            without_bucket(demand.need, policy.spec().capacity(), Micros::ZERO)
        }
        OnStoreFailure::Deny => without_bucket(0, 0, PAUSE),
    }
}

const fn without_bucket(granted: u64, remaining: u64, retry_after: Micros) -> Taken {
    Taken {
        granted,
        remaining,
        retry_after,
        full_after: retry_after,
        at: StoreTime::new(0),
    }
}
