//! Tokens held ahead: how many, how long, and where they go.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gateway::limiter::{Bounds, By, Decision, Limiter, Shared};
use gateway::policy::ids::BucketId;
use gateway::policy::token_bucket::Ask;
use gateway::store::Store;
use tokio::task::{spawn_local, yield_now};
use tokio::time::{advance, sleep};

use super::{Bench, TAU, client, exact, granted, limit, local, settle};

#[tokio::test(start_paused = true)]
async fn a_cold_client_never_leases() {
    local(async {
        let bench = Bench::new(limit("cold", 1_000, "100/1s"));
        for _ in 0..50 {
            bench.take(1).await;
            sleep(TAU).await;
        }
        assert_eq!(bench.totals().leased, 0);
        assert_eq!(bench.totals().store_calls, 50);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hot_client_costs_few_debits_and_loses_no_token() {
    local(async {
        let bench = Bench::new(limit("hot", 10_000, "1000/1s"));
        for _ in 0..2_000 {
            assert_eq!(bench.take(1).await.decision, Decision::Granted);
            sleep(Duration::from_millis(1)).await;
        }
        let totals = bench.totals();
        assert!(totals.store_calls < 200, "{totals:?}");
        assert!(totals.by_lease > 1_800, "{totals:?}");
        assert_eq!(totals.lost, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_leases_every_request_asks() {
    local(async {
        let bench = Bench::new(exact("exact", 1_000, "1000/1s"));
        bench.warm_up(100).await;
        assert_eq!(bench.totals().store_calls, 100);
        assert_eq!(bench.totals().leased, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_spent_for_three_quarters_of_its_lifetime_and_the_rest_given_back() {
    local(async {
        let bench = Bench::new(limit("unspent", 1_000, "1/1h"));
        bench.warm_up(40).await;
        let before = bench.totals();
        assert!(before.leased > before.by_lease + 4, "{before:?}");
        advance(TAU * 3 / 4 - Duration::from_micros(1)).await;
        assert_eq!(bench.take(1).await.by, By::Lease);
        advance(Duration::from_micros(1)).await;
        assert_eq!(bench.take(1).await.by, By::Store);
        sleep(TAU).await;
        let after = bench.totals();
        assert_eq!(after.lost, 0);
        assert!(after.given_back > 0);
        assert_eq!(
            bench.in_bucket().await,
            1_000 - 42,
            "nothing but what was granted is gone"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn leases_shrink_to_none_and_the_last_token_is_granted() {
    local(async {
        let bench = Bench::new(limit("last", 100, "1/1h"));
        let mut passed = 0;
        while bench.take(1).await.decision == Decision::Granted {
            passed += 1;
        }
        assert_eq!(passed, 100);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_threads_share_what_is_left_without_starving_each_other() {
    local(async {
        let one = Bench::new(limit("pair", 100, "1/1h"));
        let two = Bench::over(
            one.store.clone(),
            Arc::clone(&one.shared),
            limit("pair", 100, "1/1h"),
        );
        let mut passed = 0;
        for _ in 0..100 {
            passed += granted(&[one.take(1).await, two.take(1).await]);
        }
        assert_eq!(
            passed, 100,
            "no token is idle on the one while the other is denied"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_gives_every_lease_back() {
    local(async {
        let bench = Bench::new(limit("drain", 1_000, "1/1h"));
        bench.warm_up(40).await;
        bench.limiter.give_back_all().await;
        assert_eq!(bench.in_bucket().await, 1_000 - 40);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_clients_is_bounded_and_an_evicted_lease_goes_back() {
    local(async {
        let store = Store::memory(1 << 20);
        let shared = Shared::new(Store::memory(1 << 16));
        let bounds = Bounds {
            clients: 128,
            ..Bounds::default()
        };
        let settings = limit("many", 1_000, "1/1h");
        let limiter = Limiter::bounded(store.clone(), vec![settings], shared, bounds);
        let policy = limiter.policy(&"many".into()).unwrap();
        for _ in 0..40 {
            limiter.take(&policy, &client(0), 1).await;
        }
        for number in 1..20_000 {
            limiter.take(&policy, &client(number), 1).await;
            assert!(limiter.remembered() <= 128);
        }
        settle().await;
        let bucket = BucketId {
            policy: "many".into(),
            client: client(0),
        };
        let spec = policy.settings().spec;
        assert_eq!(
            store.inspect(&bucket, &spec).await.unwrap().remaining,
            1_000 - 40
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_limiter_that_is_dropped_leaves_its_share_and_keeps_its_counts() {
    local(async {
        let bench = Bench::new(limit("gone", 1_000, "1/1h"));
        bench.warm_up(20).await;
        let Bench {
            shared,
            limiter,
            policy,
            ..
        } = bench;
        drop((limiter, policy));
        sleep(TAU).await;
        let again = Bench::over(
            Store::memory(1 << 16),
            Arc::clone(&shared),
            limit("gone", 1_000, "1/1h"),
        );
        again.warm_up(1).await;
        assert_eq!(again.totals().decisions(Decision::Granted), 21);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_spawned_request_may_be_aborted_at_any_point() {
    local(async {
        let bench = Rc::new(Bench::new(limit("abort", 100, "1/1h")));
        for pauses in 0..20 {
            let inside = Rc::clone(&bench);
            let task = spawn_local(async move { inside.take(1).await });
            for _ in 0..pauses {
                yield_now().await;
            }
            task.abort();
        }
        sleep(TAU * 2).await;
        let ask = bench.take(1).await;
        assert_eq!(ask.decision, Decision::Granted);
        sleep(TAU * 2).await;
        assert!((79..=99).contains(&bench.in_bucket().await));
        let bucket = BucketId {
            policy: "abort".into(),
            client: client(1),
        };
        let left = bench.in_bucket().await;
        let rest = bench.store.take(
            &bucket,
            bench.policy.settings().spec.bucket().unwrap(),
            Ask::exactly(100),
        );
        assert_eq!(rest.await.unwrap().granted, left);
    })
    .await;
}
