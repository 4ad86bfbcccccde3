//! Requests in flight: held while they run, let go whatever becomes of them.

use std::sync::Arc;
use std::time::Duration;

use gateway::limiter::{By, Decision, Shared, Slot, Verdict, Verdicts, Want};
use gateway::policy::concurrency::SlotsSpec;
use gateway::policy::units::Micros;
use gateway::store::Store;
use tokio::time::advance;

use super::loss::lost_store;
use super::{Bench, client, exact, is_pending, local, settle, spec_of};

fn spec(limit: u64) -> SlotsSpec {
    SlotsSpec::new(limit, Micros::from_secs(60)).unwrap()
}

async fn hold(bench: &Bench, cost: u64) -> (Verdict, Option<Slot>) {
    bench.limiter.hold(&bench.policy, &client(1), cost).await
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_taken_until_its_guard_is_dropped() {
    local(async {
        let bench = Bench::new(spec_of("slots", spec(2)));
        let (first, one) = hold(&bench, 1).await;
        assert_eq!((first.limit, first.remaining), (2, 1));
        let (_, two) = hold(&bench, 1).await;
        assert!(one.is_some() && two.is_some());
        for _ in 0..3 {
            let (denied, none) = hold(&bench, 1).await;
            // A slot may come free at any moment: each denial is the store's own.
            assert_eq!((denied.decision, denied.by), (Decision::Denied, By::Store));
            assert_eq!(denied.retry_after, Micros::from_secs(1));
            assert!(none.is_none());
        }
        drop(one);
        settle().await;
        assert!(hold(&bench, 1).await.0.decision.passes());
        assert_eq!(
            bench.totals().given_back,
            0,
            "what ends was not debited ahead"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_may_take_several_slots_and_gives_back_as_many() {
    local(async {
        let bench = Bench::new(spec_of("slots", spec(5)));
        let (verdict, slot) = hold(&bench, 3).await;
        assert!(verdict.decision.passes());
        assert_eq!(bench.in_bucket().await, 2);
        assert!(!hold(&bench, 3).await.0.decision.passes());
        drop(slot);
        settle().await;
        assert_eq!(bench.in_bucket().await, 5);
        let never = hold(&bench, 6).await.0;
        assert_eq!(never.by, By::Cost);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_request_keeps_its_slot_and_a_dead_replica_does_not() {
    local(async {
        let store = Store::memory(1 << 16);
        let over = |store: &Store| {
            let shared = Shared::new(Store::memory(1 << 16));
            Bench::over(store.clone(), shared, spec_of("slots", spec(2)))
        };
        let (living, dead) = (over(&store), over(&store));
        let held = hold(&living, 1).await;
        let lost = hold(&dead, 1).await;
        // Killed: nothing is renewed, nothing given back.
        std::mem::forget(lost);
        for _ in 0..59 {
            advance(Duration::from_secs(1)).await;
            living.limiter.tick();
            settle().await;
        }
        assert_eq!(living.in_bucket().await, 0);
        for _ in 0..600 {
            advance(Duration::from_secs(1)).await;
            living.limiter.tick();
            settle().await;
        }
        assert_eq!(living.in_bucket().await, 1, "the dead one's lease is over");
        drop(held);
        settle().await;
        assert_eq!(living.in_bucket().await, 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_it_waits_takes_no_slot_with_it() {
    local(async {
        let bench = Bench::new(spec_of("slots", spec(5)));
        // Left before the answer.
        let mut early = Box::pin(hold(&bench, 1));
        assert!(is_pending(early.as_mut()).await);
        drop(early);
        settle().await;
        assert_eq!(bench.in_bucket().await, 5);
        // Left between the answer and the hearing of it.
        let mut late = Box::pin(hold(&bench, 1));
        assert!(is_pending(late.as_mut()).await);
        settle().await;
        assert_eq!(bench.in_bucket().await, 4);
        drop(late);
        settle().await;
        assert_eq!(bench.in_bucket().await, 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_another_limit_refuses_holds_nothing() {
    local(async {
        let bench = Bench::new(spec_of("slots", spec(5)));
        let both = vec![spec_of("slots", spec(5)), exact("narrow", 1, "1/1h")];
        bench.limiter.replace(both);
        let policy = bench.limiter.policy(&"slots".into()).unwrap();
        let narrow = bench.limiter.policy(&"narrow".into()).unwrap();
        let client = client(1);
        let wants = [&policy, &narrow].map(|policy| Want {
            policy,
            client: &client,
            cost: 1,
        });
        let (verdicts, slots) = bench.limiter.hold_all(&wants).await;
        assert!(matches!(verdicts, Verdicts::Passed(all) if all.len() == 2));
        assert_eq!((slots.len(), bench.in_bucket().await), (1, 4));
        let (verdicts, none) = bench.limiter.hold_all(&wants).await;
        assert!(matches!(verdicts, Verdicts::Refused { by: 1, .. }));
        settle().await;
        assert_eq!((none.len(), bench.in_bucket().await), (0, 4));
        drop(slots);
        settle().await;
        assert_eq!(bench.in_bucket().await, 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_go_of_what_is_still_held() {
    local(async {
        let bench = Bench::new(spec_of("slots", spec(5)));
        let held = hold(&bench, 2).await;
        bench.limiter.give_back_all().await;
        assert_eq!(bench.in_bucket().await, 5, "and waited for it");
        drop(held);
        settle().await;
        assert_eq!(bench.in_bucket().await, 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_the_store_each_replica_has_its_part_of_the_slots() {
    local(async {
        let shared = Shared::new(Store::memory(1 << 16));
        shared.set_live_replicas(2);
        let bench = Bench::over(lost_store(), Arc::clone(&shared), spec_of("slots", spec(4)));
        let (first, one) = hold(&bench, 1).await;
        assert_eq!(first.decision, Decision::DegradedGranted);
        let (_, two) = hold(&bench, 1).await;
        assert_eq!(hold(&bench, 1).await.0.decision, Decision::DegradedDenied);
        drop((one, two));
        settle().await;
        assert!(hold(&bench, 1).await.0.decision.passes());
    })
    .await;
}
