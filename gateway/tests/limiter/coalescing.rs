//! Requests that wait together share one debit.

use std::time::Duration;

use futures_util::future::join_all;
use gateway::limiter::{Bounds, By, Decision, Limiter, Shared};
use gateway::policy::units::Micros;
use gateway::store::Store;
use tokio::time::advance;

use super::{Bench, client, exact, granted, is_pending, limit, local, settle};

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
        let shared = Shared::new(Store::memory(1 << 16));
        let bounds = Bounds {
            waiting: 8,
            ..Bounds::default()
        };
        let settings = exact("crowded", 100, "1/1s");
        let limiter = Limiter::bounded(Store::memory(1 << 16), vec![settings], shared, bounds);
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
