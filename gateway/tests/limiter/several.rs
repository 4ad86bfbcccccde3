//! Several limits on one request: all or none.

use gateway::limiter::{By, Decision, Verdicts, Want};

use super::{Bench, client, exact, is_pending, limit, local, settle};

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
