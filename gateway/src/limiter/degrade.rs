//! Deciding without the shared store.
//!
//! Guarantees: always an answer, at once. With `degrade`, the local buckets of all live replicas together refill no faster than
//! the shared one, and all threads of a process share them. Must not: remember anything for when the store is back.

use super::policies::Policy;
use super::settings::OnStoreFailure;
use super::shared::Shared;
use crate::policy::ids::BucketId;
use crate::policy::token_bucket::{Ask, Taken};
use crate::policy::units::{Micros, StoreTime};

/// How long a request waits that is refused only because the store is away.
const PAUSE: Micros = Micros::from_secs(1);

/// What the policy decides for `need` tokens while the store does not answer.
pub(super) async fn take(shared: &Shared, policy: &Policy, bucket: &BucketId, need: u64) -> Taken {
    match policy.settings().on_store_failure {
        OnStoreFailure::Degrade => {
            let part = policy.spec().divided(shared.live_replicas());
            let taken = shared.local().take(bucket, &part, Ask::exactly(need)).await;
            taken.unwrap_or(without_bucket(0, 0, PAUSE))
        }
        OnStoreFailure::Allow => without_bucket(need, policy.spec().capacity(), Micros::ZERO),
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
