//! The near side of the limits against the embedded store, in paused time: every number it promises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use gateway::limiter::settings::{KeySettings, OnStoreFailure, PolicySettings};
use gateway::limiter::{
    Bounds, By, Decision, Limiter, Policy, Shared, Totals, Verdict, Verdicts, Want,
};
use gateway::policy::ids::{BucketId, ClientId};
use gateway::policy::token_bucket::{Ask, BucketSpec};
use gateway::policy::units::Micros;
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Health, Store, op};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{Instant, advance, sleep};

const TAU: Duration = Duration::from_millis(50);

fn limit(name: &str, capacity: u64, rate: &str) -> PolicySettings {
    PolicySettings {
        name: name.into(),
        key: KeySettings::Client,
        bucket: BucketSpec::new(capacity, rate.parse().unwrap()).unwrap(),
        leases: true,
        lease_lifetime: TAU,
        on_store_failure: OnStoreFailure::Degrade,
        shadow: false,
    }
}

fn exact(name: &str, capacity: u64, rate: &str) -> PolicySettings {
    PolicySettings {
        leases: false,
        ..limit(name, capacity, rate)
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
        let spec = &self.policy.settings().bucket;
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

// Coalescing

#[tokio::test(start_paused = true)]
async fn requests_that_arrive_together_share_one_debit_and_are_served_in_order() {
    local(async {
        let bench = Bench::new(exact("shared", 100, "1/1m"));
        let verdicts = bench.takes([1; 150]).await;
        assert_eq!(bench.totals().store_calls, 1);
        assert_eq!(bench.totals().coalesced, 150);
        assert!(
            verdicts[..100]
                .iter()
                .all(|verdict| verdict.decision == Decision::Granted)
        );
        assert!(
            verdicts[100..]
                .iter()
                .all(|verdict| verdict.decision == Decision::Denied)
        );
        assert_eq!(verdicts[0].remaining, 99);
        assert_eq!(verdicts[99].remaining, 0);
        assert_eq!(verdicts[149].retry_after, Micros::from_secs(60));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dear_request_in_the_middle_is_denied_and_its_tokens_go_to_the_next_and_back() {
    local(async {
        let bench = Bench::new(exact("mixed", 10, "1/1s"));
        let verdicts = bench.takes([6, 5, 3]).await;
        let decisions: Vec<_> = verdicts.iter().map(|verdict| verdict.decision).collect();
        assert_eq!(
            decisions,
            [Decision::Granted, Decision::Denied, Decision::Granted]
        );
        settle().await;
        assert_eq!(bench.in_bucket().await, 1, "the token that was left over");
        assert_eq!(
            verdicts[1].retry_after,
            Micros::from_secs(4),
            "five less the one"
        );
        advance(Duration::from_millis(3_999)).await;
        assert_eq!(bench.take(5).await.decision, Decision::Denied);
        advance(Duration::from_millis(1)).await;
        assert_eq!(bench.take(5).await.decision, Decision::Granted);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn more_than_the_bound_do_not_wait() {
    local(async {
        let shared = Shared::new(Store::memory(64));
        let bounds = Bounds {
            waiting: 8,
            ..Bounds::default()
        };
        let settings = exact("crowded", 100, "1/1s");
        let limiter = Limiter::bounded(Store::memory(64), vec![settings], shared, bounds);
        let policy = limiter.policy(&"crowded".into()).unwrap();
        let client = client(1);
        let verdicts = join_all((0..10).map(|_| limiter.take(&policy, &client, 1))).await;
        assert_eq!(granted(&verdicts), 8);
        assert_eq!(verdicts[8].by, By::Overload);
        assert_eq!(verdicts[8].retry_after, Micros::from_secs(1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_debit_is_sent_costs_nothing() {
    local(async {
        let bench = Bench::new(exact("left", 10, "1/1m"));
        let mut leaving = Box::pin(bench.take(4));
        assert!(is_pending(leaving.as_mut()).await);
        let staying = bench.take(1);
        drop(leaving);
        assert_eq!(staying.await.remaining, 9);
        settle().await;
        assert_eq!(bench.in_bucket().await, 9);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_later_has_spent_its_tokens_and_disturbs_nobody() {
    local(async {
        let bench = Bench::new(limit("left", 10, "1/1m"));
        let mut leaving = Box::pin(bench.take(4));
        assert!(is_pending(leaving.as_mut()).await);
        settle().await;
        drop(leaving);
        assert_eq!(bench.take(1).await.remaining, 5);
    })
    .await;
}

// Denial memory

#[tokio::test(start_paused = true)]
async fn a_flood_from_a_denied_client_costs_the_store_nothing_until_the_denial_is_over() {
    local(async {
        let bench = Bench::new(exact("flood", 1, "1/6s"));
        bench.take(1).await;
        assert_eq!(bench.take(1).await.by, By::Store);
        for millis in 1..6_000 {
            advance(Duration::from_millis(1)).await;
            let verdict = bench.take(1).await;
            assert_eq!(
                (verdict.decision, verdict.by),
                (Decision::Denied, By::DenialMemory)
            );
            assert_eq!(verdict.retry_after, Micros::from_millis(6_000 - millis));
        }
        assert_eq!(bench.totals().store_calls, 2);
        assert_eq!(
            bench.totals().local(),
            [("lease", 0), ("denial_memory", 5_999)]
        );
        advance(Duration::from_millis(1)).await;
        assert_eq!(bench.take(1).await.decision, Decision::Granted);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cheaper_request_than_the_denied_one_asks_the_store() {
    local(async {
        let bench = Bench::new(exact("costs", 10, "1/1s"));
        bench.take(7).await;
        assert_eq!(bench.take(5).await.retry_after, Micros::from_secs(2));
        assert_eq!(bench.take(6).await.by, By::DenialMemory);
        assert_eq!(bench.take(6).await.retry_after, Micros::from_secs(3));
        settle().await;
        let cheap = bench.take(3).await;
        assert_eq!((cheap.decision, cheap.by), (Decision::Granted, By::Store));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_voids_the_denial() {
    local(async {
        let bench = Bench::new(exact("reset", 1, "1/1h"));
        bench.takes([1, 1]).await;
        assert_eq!(bench.take(1).await.by, By::DenialMemory);
        let bucket = BucketId {
            policy: "reset".into(),
            client: client(1),
        };
        bench.store.forget(&bucket).await.unwrap();
        bench
            .limiter
            .forget(&bucket.policy, &bucket.client.to_string());
        assert_eq!(bench.take(1).await.decision, Decision::Granted);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_limit_starts_afresh_and_an_unchanged_one_goes_on() {
    local(async {
        let same = exact("same", 1, "1/1h");
        let shared = Shared::new(Store::memory(64));
        let both = vec![same.clone(), exact("changed", 1, "1/1h")];
        let limiter = Limiter::new(Store::memory(64), both, shared);
        for name in ["same", "changed"] {
            let policy = limiter.policy(&name.into()).unwrap();
            let client = client(1);
            join_all((0..2).map(|_| limiter.take(&policy, &client, 1))).await;
        }
        settle().await;
        limiter.replace(vec![same, exact("changed", 2, "1000/1s")]);
        assert_eq!(limiter.remembered(), 1);
        let kept = limiter.policy(&"same".into()).unwrap();
        assert_eq!(
            limiter.take(&kept, &client(1), 1).await.by,
            By::DenialMemory
        );
        let changed = limiter.policy(&"changed".into()).unwrap();
        assert_eq!(limiter.take(&changed, &client(1), 1).await.by, By::Store);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_dearer_than_the_bucket_is_refused_without_asking() {
    local(async {
        let bench = Bench::new(exact("dear", 10, "1/1s"));
        let verdict = bench.take(11).await;
        assert_eq!((verdict.decision, verdict.by), (Decision::Denied, By::Cost));
        assert_eq!(bench.totals().store_calls, 0);
    })
    .await;
}

// Leases

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
        let shared = Shared::new(Store::memory(64));
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
        let spec = policy.settings().bucket;
        assert_eq!(
            store.inspect(&bucket, &spec).await.unwrap().remaining,
            1_000 - 40
        );
    })
    .await;
}

// Several limits

#[tokio::test(start_paused = true)]
async fn all_limits_or_none_are_debited() {
    local(async {
        let wide = Bench::new(exact("wide", 100, "1/1h"));
        wide.limiter.replace(vec![exact("wide", 100, "1/1h"), exact("narrow", 2, "1/1h")]);
        let narrow = wide.limiter.policy(&"narrow".into()).unwrap();
        let client = client(1);
        let wants = [&wide.policy, &narrow].map(|policy| Want {
            policy,
            client: &client,
            cost: 1,
        });
        for _ in 0..2 {
            assert!(matches!(wide.limiter.take_all(&wants).await, Verdicts::Passed(all) if all.len() == 2));
        }
        for by in [By::Store, By::DenialMemory] {
            match wide.limiter.take_all(&wants).await {
                Verdicts::Refused { by: 1, verdict } => assert_eq!(verdict.by, by),
                other => panic!("{other:?}"),
            }
            settle().await;
            assert_eq!(wide.in_bucket().await, 98, "what the wide one granted went back");
        }
        assert_eq!(wide.totals().store_calls, 3, "a remembered denial spares the others the debit");
        assert_eq!(wide.totals().decisions(Decision::Granted), 2, "what was undone is not a grant");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_between_two_limits_gets_its_tokens_back() {
    local(async {
        let bench = Bench::new(exact("first", 10, "1/1h"));
        bench.limiter.replace(vec![
            exact("first", 10, "1/1h"),
            exact("second", 10, "1/1h"),
        ]);
        let second = bench.limiter.policy(&"second".into()).unwrap();
        let client = client(1);
        let wants = [&bench.policy, &second].map(|policy| Want {
            policy,
            client: &client,
            cost: 1,
        });
        let mut leaving = Box::pin(bench.limiter.take_all(&wants));
        assert!(is_pending(leaving.as_mut()).await);
        settle().await;
        assert!(
            is_pending(leaving.as_mut()).await,
            "now it waits for the second"
        );
        assert_eq!(bench.in_bucket().await, 9);
        drop(leaving);
        settle().await;
        assert_eq!(bench.in_bucket().await, 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_leased_token_that_was_not_needed_returns_to_the_lease() {
    local(async {
        let bench = Bench::new(limit("hot", 1_000, "1/1h"));
        bench
            .limiter
            .replace(vec![limit("hot", 1_000, "1/1h"), exact("empty", 1, "1/1h")]);
        let empty = bench.limiter.policy(&"empty".into()).unwrap();
        let client = client(1);
        bench.warm_up(40).await;
        bench.limiter.take(&empty, &client, 1).await;
        let (calls, left) = (bench.totals().store_calls, bench.take(1).await.remaining);
        let wants = [&bench.policy, &empty].map(|policy| Want {
            policy,
            client: &client,
            cost: 1,
        });
        assert!(matches!(
            bench.limiter.take_all(&wants).await,
            Verdicts::Refused { by: 1, .. }
        ));
        let next = bench.take(1).await;
        assert_eq!((next.by, next.remaining), (By::Lease, left - 1));
        assert_eq!(bench.totals().store_calls, calls);
    })
    .await;
}

// Shadow

#[tokio::test(start_paused = true)]
async fn a_shadow_limit_counts_and_lets_pass() {
    local(async {
        let bench = Bench::new(PolicySettings {
            shadow: true,
            ..exact("shadow", 2, "1/1h")
        });
        for expected in [
            Decision::Granted,
            Decision::Granted,
            Decision::ShadowDenied,
            Decision::ShadowDenied,
        ] {
            let verdict = bench.take(1).await;
            assert_eq!(verdict.decision, expected);
            assert!(verdict.decision.passes());
        }
        assert_eq!(bench.totals().decisions(Decision::ShadowDenied), 2);
        let wants = [Want {
            policy: &bench.policy,
            client: &client(1),
            cost: 1,
        }];
        assert!(matches!(
            bench.limiter.take_all(&wants).await,
            Verdicts::Passed(_)
        ));
    })
    .await;
}

// Loss of the store

/// A store at an address where nobody listens.
fn lost_store() -> Store {
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
        let shared = Shared::new(Store::memory(1_024));
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
            let shared = Shared::new(Store::memory(64));
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
            Shared::new(Store::memory(64)),
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

// Tasks

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
            Store::memory(64),
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
        let rest = bench
            .store
            .take(&bucket, &bench.policy.settings().bucket, Ask::exactly(100));
        assert_eq!(rest.await.unwrap().granted, left);
    })
    .await;
}
