//! What a denial is remembered for, and what makes it void.

use std::time::Duration;

use futures_util::future::join_all;
use gateway::limiter::settings::PolicySettings;
use gateway::limiter::{By, Decision, Limiter, Shared, Verdicts, Want};
use gateway::policy::ids::BucketId;
use gateway::policy::units::Micros;
use gateway::store::Store;
use tokio::time::advance;

use super::{Bench, client, exact, local, settle};

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
        let shared = Shared::new(Store::memory(1 << 16));
        let both = vec![same.clone(), exact("changed", 1, "1/1h")];
        let limiter = Limiter::new(Store::memory(1 << 16), both, shared);
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
