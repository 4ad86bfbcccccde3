//! The near side of limits that count in windows: whole requests, remembered denials, nothing held ahead.

use std::time::Duration;

use gateway::limiter::{By, Decision, Shared, Want};
use gateway::policy::units::Micros;
use gateway::policy::window::{Counting, WindowSpec};
use gateway::store::Store;
use tokio::time::advance;

use super::loss::lost_store;
use super::{Bench, client, exact, granted, local, settle, spec_of};

const ALL: [Counting; 3] = [Counting::Fixed, Counting::Sliding, Counting::Log];

fn bench(counting: Counting, limit: u64, secs: u64) -> Bench {
    let window = WindowSpec::new(counting, limit, Micros::from_secs(secs)).unwrap();
    Bench::new(spec_of("window", window))
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_remembered_until_the_window_has_room_again() {
    local(async {
        for counting in ALL {
            let bench = bench(counting, 3, 60);
            assert_eq!(granted(&bench.takes([1; 5]).await), 3, "{counting:?}");
            let denied = bench.take(1).await;
            assert_eq!(
                (denied.decision, denied.by),
                (Decision::Denied, By::DenialMemory)
            );
            let calls = bench.totals().store_calls;
            let wait = denied.retry_after;
            assert!(
                wait > Micros::ZERO && wait <= Micros::from_secs(80),
                "{wait}"
            );
            advance(wait.to_duration() - Duration::from_millis(1)).await;
            assert_eq!(bench.take(1).await.by, By::DenialMemory, "{counting:?}");
            assert_eq!(
                bench.totals().store_calls,
                calls,
                "a flood costs the store nothing"
            );
            advance(Duration::from_millis(1)).await;
            let again = bench.take(1).await;
            assert_eq!(
                (again.decision, again.by),
                (Decision::Granted, By::Store),
                "{counting:?}"
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_together_are_counted_by_one_call() {
    local(async {
        for counting in ALL {
            let bench = bench(counting, 100, 60);
            assert_eq!(granted(&bench.takes([1; 40]).await), 40);
            assert_eq!(bench.totals().store_calls, 1, "{counting:?}");
            assert_eq!(bench.in_bucket().await, 60);
            assert_eq!(bench.totals().leased, 0, "nothing is held ahead");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn requests_of_different_costs_are_served_in_order_and_told_the_truth() {
    local(async {
        for counting in ALL {
            let bench = bench(counting, 10, 60);
            let verdicts = bench.takes([4, 4, 4, 1, 1, 1]).await;
            let passes: Vec<bool> = verdicts.iter().map(|one| one.decision.passes()).collect();
            assert_eq!(
                passes,
                [true, true, false, true, true, false],
                "{counting:?}"
            );
            assert_eq!(bench.in_bucket().await, 0, "{counting:?}");
            for (before, cost, verdict) in [
                (&[4, 4][..], 4, verdicts[2]),
                (&[4, 4, 1, 1], 1, verdicts[5]),
            ] {
                let fresh = self::bench(counting, 10, 60);
                fresh.takes(before.iter().copied()).await;
                advance(verdict.retry_after.to_duration()).await;
                assert!(
                    fresh.take(cost).await.decision.passes(),
                    "{counting:?} {cost}"
                );
            }
            // One dearer than what was denied is denied by the same memory, and told when there is room for any.
            let calls = bench.totals().store_calls;
            let full = self::bench(counting, 10, 60);
            full.takes([1; 11]).await;
            let dear = full.take(10).await;
            assert_eq!(dear.by, By::DenialMemory, "{counting:?}");
            advance(dear.retry_after.to_duration()).await;
            assert!(full.take(10).await.decision.passes(), "{counting:?}");
            assert_eq!(bench.totals().store_calls, calls);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_another_limit_refuses_is_not_counted() {
    local(async {
        for counting in ALL {
            let window = WindowSpec::new(counting, 10, Micros::from_secs(60)).unwrap();
            let bench = bench(counting, 10, 60);
            bench
                .limiter
                .replace(vec![spec_of("window", window), exact("narrow", 2, "1/1h")]);
            let narrow = bench.limiter.policy(&"narrow".into()).unwrap();
            let policy = bench.limiter.policy(&"window".into()).unwrap();
            let client = client(1);
            let wants = [&policy, &narrow].map(|policy| Want {
                policy,
                client: &client,
                cost: 1,
            });
            for _ in 0..3 {
                bench.limiter.take_all(&wants).await;
            }
            settle().await;
            assert_eq!(bench.in_bucket().await, 8, "{counting:?}");
            assert_eq!(bench.totals().given_back, 1, "{counting:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_the_store_each_replica_counts_its_part() {
    local(async {
        for counting in ALL {
            let window = WindowSpec::new(counting, 10, Micros::from_secs(60)).unwrap();
            let shared = Shared::new(Store::memory(1 << 16));
            shared.set_live_replicas(3);
            let bench = Bench::over(lost_store(), shared, spec_of("window", window));
            let verdicts = bench.takes([1; 8]).await;
            assert_eq!(granted(&verdicts), 3, "{counting:?}");
            assert!(verdicts.iter().all(|verdict| verdict.by == By::Degraded));
        }
    })
    .await;
}
