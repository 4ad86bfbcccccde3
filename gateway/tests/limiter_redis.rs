//! The near side of the limits over a real Redis: what only a slow, lost or returning store shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support {
    pub(crate) mod redis;
}

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gateway::limiter::settings::{KeySettings, LegacyHeaders, OnStoreFailure, PolicySettings};
use gateway::limiter::{By, Decision, Limiter, Policy, Shared, Totals, Verdict};
use gateway::policy::ids::ClientId;
use gateway::policy::token_bucket::BucketSpec;
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Health, Store, health, op};
use support::redis::{PATIENCE, Server, eventually};
use tokio::task::{JoinHandle, LocalSet, spawn_local, yield_now};

/// One thread's limiter over a server: no leases, so that each debit can be counted.
#[derive(Clone)]
struct Near {
    limiter: Limiter,
    policy: Rc<Policy>,
    shared: Arc<Shared>,
}

impl Near {
    fn over(store: Store) -> Self {
        let settings = PolicySettings {
            name: "limit".into(),
            key: KeySettings::Client,
            spec: BucketSpec::new(10, "1/1h".parse().unwrap()).unwrap().into(),
            leases: false,
            lease_lifetime: Duration::from_millis(50),
            on_store_failure: OnStoreFailure::Degrade,
            shadow: false,
            legacy_headers: LegacyHeaders::None,
        };
        let shared = Shared::new(Store::memory(1 << 16));
        let limiter = Limiter::new(store, vec![settings], Arc::clone(&shared));
        let policy = limiter.policy(&"limit".into()).unwrap();
        Self {
            limiter,
            policy,
            shared,
        }
    }

    async fn take(&self) -> Verdict {
        let client = ClientId::Text("client".into());
        self.limiter.take(&self.policy, &client, 1).await
    }

    fn taking(&self) -> JoinHandle<Verdict> {
        let near = self.clone();
        spawn_local(async move { near.take().await })
    }

    fn totals(&self) -> Totals {
        self.shared
            .totals()
            .remove(&"limit".into())
            .unwrap_or_default()
    }
}

fn store(server: &Server, timeout: Duration) -> (Store, Arc<Health>) {
    let settings = Settings {
        timeout,
        ..Settings::default()
    };
    let health = Arc::new(Health::new(settings.failures));
    let url = StoreUrl::parse(&server.url()).unwrap();
    let store = Store::redis(&url, &settings, Arc::clone(&health), op::unobserved()).unwrap();
    (store, health)
}

/// Lets every task run up to where it waits for the server.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test]
async fn requests_that_arrive_while_a_debit_is_under_way_share_the_next_in_order() {
    LocalSet::new()
        .run_until(async {
            let server = Server::start().await;
            let near = Near::over(store(&server, PATIENCE).0);
            assert_eq!(near.take().await.by, By::Store);
            server.freeze();
            let first = near.taking();
            settle().await;
            let later: Vec<_> = (0..20).map(|_| near.taking()).collect();
            settle().await;
            later[3].abort();
            settle().await;
            server.thaw();
            assert_eq!(first.await.unwrap().remaining, 8);
            let verdicts: Vec<_> = join_all(later).await.into_iter().flatten().collect();
            let granted = verdicts.iter().filter(|verdict| verdict.decision.passes());
            assert_eq!(
                (verdicts.len(), granted.count()),
                (19, 8),
                "who left paid nothing"
            );
            assert!(
                verdicts[..8]
                    .iter()
                    .all(|verdict| verdict.decision == Decision::Granted)
            );
            assert_eq!(
                near.totals().store_calls,
                3,
                "one for all who came meanwhile"
            );
        })
        .await;
}

#[tokio::test]
async fn a_client_that_leaves_does_not_abort_the_debit_others_wait_for() {
    LocalSet::new()
        .run_until(async {
            let server = Server::start().await;
            let near = Near::over(store(&server, PATIENCE).0);
            near.take().await;
            server.freeze();
            let (leaving, staying) = (near.taking(), near.taking());
            settle().await;
            leaving.abort();
            settle().await;
            server.thaw();
            let verdict = staying.await.unwrap();
            assert_eq!(
                (verdict.decision, verdict.remaining),
                (Decision::Granted, 7)
            );
            assert_eq!(near.totals().store_calls, 2);
        })
        .await;
}

#[tokio::test]
async fn who_arrives_while_a_debit_hangs_waits_for_no_second_one() {
    LocalSet::new()
        .run_until(async {
            let server = Server::start().await;
            let near = Near::over(store(&server, Duration::from_millis(300)).0);
            near.take().await;
            server.freeze();
            let first = near.taking();
            settle().await;
            let later = near.taking();
            settle().await;
            for verdict in [first.await.unwrap(), later.await.unwrap()] {
                assert_eq!(verdict.by, By::Degraded);
            }
            assert_eq!(near.totals().store_calls, 2);
            server.thaw();
        })
        .await;
}

#[tokio::test]
async fn a_lost_store_is_stood_in_for_and_found_again() {
    LocalSet::new()
        .run_until(async {
            let mut server = Server::start().await;
            let (store, health) = store(&server, Duration::from_secs(2));
            let watching = tokio::spawn({
                let (store, health) = (store.clone(), Arc::clone(&health));
                async move { health::watch(store, &health).await }
            });
            let near = Near::over(store);
            near.shared.set_live_replicas(2);
            assert_eq!(near.take().await.by, By::Store);
            server.kill();
            let mut stood_in = Vec::new();
            for _ in 0..10 {
                stood_in.push(near.take().await.decision);
            }
            assert_eq!(
                stood_in[..5],
                [Decision::DegradedGranted; 5],
                "half of the limit"
            );
            assert_eq!(stood_in[5..], [Decision::DegradedDenied; 5]);
            assert!(!health.is_up());
            server.restart();
            eventually("the store decides again", async || {
                near.take().await.by == By::Store
            })
            .await;
            watching.abort();
        })
        .await;
}
