//! The near side of the limits against the embedded store, in paused time: every number it promises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod coalescing;
mod denials;
mod leases;
mod several;
mod loss;
mod slots;
mod windows;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use gateway::limiter::settings::{KeySettings, LegacyHeaders, OnStoreFailure, PolicySettings};
use gateway::limiter::{Decision, Limiter, Policy, Shared, Totals, Verdict};
use gateway::policy::ids::{BucketId, ClientId};
use gateway::policy::limit::LimitSpec;
use gateway::policy::token_bucket::BucketSpec;
use gateway::store::Store;
use tokio::task::{LocalSet, yield_now};

const TAU: Duration = Duration::from_millis(50);

fn limit(name: &str, capacity: u64, rate: &str) -> PolicySettings {
    PolicySettings {
        name: name.into(),
        key: KeySettings::Client,
        spec: BucketSpec::new(capacity, rate.parse().unwrap())
            .unwrap()
            .into(),
        leases: true,
        lease_lifetime: TAU,
        on_store_failure: OnStoreFailure::Degrade,
        shadow: false,
        legacy_headers: LegacyHeaders::None,
    }
}

fn exact(name: &str, capacity: u64, rate: &str) -> PolicySettings {
    PolicySettings {
        leases: false,
        ..limit(name, capacity, rate)
    }
}

/// A limit of another algorithm.
fn spec_of(name: &str, spec: impl Into<LimitSpec>) -> PolicySettings {
    PolicySettings {
        spec: spec.into(),
        ..exact(name, 1, "1/s")
    }
}

fn client(number: u32) -> ClientId {
    ClientId::V4(number.into())
}

/// One thread's limiter with one limit, and what it shares.
struct Bench {
    store: Store,
    shared: Arc<Shared>,
    limiter: Limiter,
    policy: Rc<Policy>,
}

impl Bench {
    fn new(settings: PolicySettings) -> Self {
        Self::over(
            Store::memory(1 << 16),
            Shared::new(Store::memory(1 << 16)),
            settings,
        )
    }

    fn over(store: Store, shared: Arc<Shared>, settings: PolicySettings) -> Self {
        let name = settings.name.clone();
        let limiter = Limiter::new(store.clone(), vec![settings], Arc::clone(&shared));
        let policy = limiter.policy(&name).unwrap();
        Self {
            store,
            shared,
            limiter,
            policy,
        }
    }

    async fn take(&self, cost: u64) -> Verdict {
        self.limiter.take(&self.policy, &client(1), cost).await
    }

    async fn takes(&self, costs: impl IntoIterator<Item = u64>) -> Vec<Verdict> {
        join_all(costs.into_iter().map(|cost| self.take(cost))).await
    }

    /// Makes the client hot, so that the next debit takes a lease.
    async fn warm_up(&self, requests: u64) {
        for _ in 0..requests {
            assert_eq!(self.take(1).await.decision, Decision::Granted);
        }
    }

    fn totals(&self) -> Totals {
        let name = &self.policy.settings().name;
        self.shared.totals().remove(name).unwrap_or_default()
    }

    async fn in_bucket(&self) -> u64 {
        let bucket = BucketId {
            policy: self.policy.settings().name.clone(),
            client: client(1),
        };
        let spec = &self.policy.settings().spec;
        self.store.inspect(&bucket, spec).await.unwrap().remaining
    }
}

/// Lets every task that can run do so.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Polls once.
async fn is_pending(mut future: Pin<&mut impl Future>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

fn granted(verdicts: &[Verdict]) -> usize {
    verdicts
        .iter()
        .filter(|verdict| verdict.decision.passes())
        .count()
}

async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}
