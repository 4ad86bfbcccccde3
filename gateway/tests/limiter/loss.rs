//! What happens without the store.

use std::sync::Arc;

use gateway::limiter::settings::{OnStoreFailure, PolicySettings};
use gateway::limiter::{By, Decision, Shared};
use gateway::policy::units::Micros;
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Health, Store, op};
use tokio::time::Instant;

use super::{Bench, granted, limit, local};

/// A store at an address where nobody listens.
pub(super) fn lost_store() -> Store {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", free.local_addr().unwrap());
    drop(free);
    let url = StoreUrl::parse(&url).unwrap();
    let health = Arc::new(Health::new(3));
    Store::redis(&url, &Settings::default(), health, op::unobserved()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn without_the_store_the_threads_of_a_replica_share_its_part_of_the_limit() {
    local(async {
        let shared = Shared::new(Store::memory(1 << 16));
        shared.set_live_replicas(4);
        let one = Bench::over(
            lost_store(),
            Arc::clone(&shared),
            limit("part", 100, "1/1h"),
        );
        let two = Bench::over(
            lost_store(),
            Arc::clone(&shared),
            limit("part", 100, "1/1h"),
        );
        let mut verdicts = Vec::new();
        for _ in 0..20 {
            verdicts.push(one.take(1).await);
            verdicts.push(two.take(1).await);
        }
        assert_eq!(granted(&verdicts), 25, "a quarter of the limit");
        assert_eq!(verdicts[0].decision, Decision::DegradedGranted);
        assert_eq!(verdicts[39].decision, Decision::DegradedDenied);
        assert!(verdicts.iter().all(|verdict| verdict.by == By::Degraded));
        assert_eq!(one.totals().decisions(Decision::DegradedGranted), 25);
        assert_eq!(one.totals().decisions(Decision::DegradedDenied), 15);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_the_store_a_policy_may_allow_or_deny() {
    local(async {
        for (on_store_failure, decision, retry_after) in [
            (
                OnStoreFailure::Allow,
                Decision::DegradedGranted,
                Micros::ZERO,
            ),
            (
                OnStoreFailure::Deny,
                Decision::DegradedDenied,
                Micros::from_secs(1),
            ),
        ] {
            let settings = PolicySettings {
                on_store_failure,
                ..limit("lost", 1, "1/1h")
            };
            let shared = Shared::new(Store::memory(1 << 16));
            let bench = Bench::over(lost_store(), shared, settings);
            for _ in 0..3 {
                let verdict = bench.take(1).await;
                assert_eq!(
                    (verdict.decision, verdict.retry_after),
                    (decision, retry_after)
                );
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_store_costs_a_few_deadlines_and_then_nothing() {
    local(async {
        let bench = Bench::over(
            lost_store(),
            Shared::new(Store::memory(1 << 16)),
            limit("lost", 100, "1/1h"),
        );
        let start = Instant::now();
        for _ in 0..100 {
            assert!(bench.take(1).await.decision.passes());
        }
        assert!(
            start.elapsed() <= Settings::default().timeout * 4,
            "{:?}",
            start.elapsed()
        );
    })
    .await;
}
