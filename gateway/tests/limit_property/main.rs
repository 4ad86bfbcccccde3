//! The promise of the limits, on a real Redis, with replicas that run at the same time: random keys, rates, costs and pauses, every
//! admission logged, and all of it checked against the bound alone, which knows nothing of how the limiter works.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[cfg(target_os = "linux")]
mod clocks;
mod slots;
#[path = "../support/mod.rs"]
mod support;
mod windows;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use gateway::limiter::settings::{KeySettings, LegacyHeaders, OnStoreFailure, PolicySettings};
use gateway::limiter::{Limiter, Policy, Shared};
use gateway::policy::ids::ClientId;
use gateway::policy::token_bucket::BucketSpec;
use gateway::policy::units::{Micros, Rate};
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Health, Store, op};
use redis::Script;
use support::redis::{PATIENCE, Server};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

/// How long each random fleet runs at least.
const RUN: Duration = Duration::from_millis(700);
/// How many of them at least; more where a busy machine lets each do little.
const FLEETS: u64 = 16;
/// What they must have been admitted together to have put the promise to the test.
const ENOUGH: usize = 1_000;

/// A fleet, all of it decided by a seed.
#[derive(Clone, Debug)]
struct Fleet {
    seed: u64,
    replicas: u64,
    clients: u32,
    capacity: u64,
    per_second: u64,
    lease: Option<Duration>,
    dearest: u64,
}

/// `cost` tokens of `client` were admitted at some instant between two others.
#[derive(Clone, Copy, Debug)]
struct Admission {
    client: u32,
    cost: u64,
    asked: Micros,
    answered: Micros,
}

impl Fleet {
    fn random(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let lease = (rng.u8(..4) > 0).then(|| Duration::from_millis(rng.u64(10..80)));
        let capacity = rng.u64(1..200);
        Self {
            seed,
            replicas: rng.u64(2..=5),
            clients: rng.u32(1..=4),
            capacity,
            per_second: rng.u64(1..1_500),
            lease,
            // Tokens of a request that was denied half-way go back, which without leases only happens for dear ones.
            dearest: rng.u64(1..=3).min(capacity),
        }
    }

    fn settings(&self) -> PolicySettings {
        let rate = Rate::new(self.per_second, Micros::from_secs(1)).unwrap();
        PolicySettings {
            name: "limit".into(),
            key: KeySettings::Client,
            spec: BucketSpec::new(self.capacity, rate).unwrap().into(),
            leases: self.lease.is_some(),
            lease_lifetime: self.lease.unwrap_or(Duration::from_millis(50)),
            on_store_failure: OnStoreFailure::Deny,
            shadow: false,
            legacy_headers: LegacyHeaders::None,
        }
    }

    /// 2τ.
    fn slack(&self) -> Micros {
        match (self.lease, self.dearest) {
            (None, 1) => Micros::ZERO,
            _ => Micros::from(self.settings().lease_lifetime * 2),
        }
    }

    fn prefix(&self) -> String {
        format!("fleet-{}", self.seed)
    }

    /// Every replica at once, each on a thread of its own; then everything that was admitted.
    fn run(&self, url: &str, watch: &Watch) -> Vec<Admission> {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let replicas: Vec<_> = (0..self.replicas)
                .map(|replica| scope.spawn(move || self.replica(url, replica, begun, watch)))
                .collect();
            let logs = replicas.into_iter().map(|replica| replica.join().unwrap());
            logs.flatten().collect()
        })
    }

    fn replica(&self, url: &str, replica: u64, begun: Instant, watch: &Watch) -> Vec<Admission> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let rng = Rng::with_seed(self.seed * 100 + replica);
        LocalSet::new().block_on(&runtime, async {
            let near = Near::new(self, url);
            near.act(self, rng, begun, watch).await
        })
    }
}

/// One replica's limiter.
struct Near {
    limiter: Limiter,
    policy: Rc<Policy>,
}

impl Near {
    fn new(fleet: &Fleet, url: &str) -> Self {
        let settings = Settings {
            timeout: Duration::from_secs(5),
            prefix: fleet.prefix(),
            ..Settings::default()
        };
        let health = Arc::new(Health::new(settings.failures));
        let url = StoreUrl::parse(url).unwrap();
        let store = Store::redis(&url, &settings, health, op::unobserved()).unwrap();
        let shared = Shared::new(Store::memory(1 << 16));
        shared.set_live_replicas(fleet.replicas);
        let limiter = Limiter::new(store, vec![fleet.settings()], shared);
        let policy = limiter.policy(&"limit".into()).unwrap();
        Self { limiter, policy }
    }

    /// Bursts, requests in turn and pauses, as the dice say.
    async fn act(
        &self,
        fleet: &Fleet,
        mut rng: Rng,
        begun: Instant,
        watch: &Watch,
    ) -> Vec<Admission> {
        let mut log = Vec::new();
        while begun.elapsed() < RUN || !watch.has_seen(begun) {
            let (client, cost) = (rng.u32(..fleet.clients), rng.u64(1..=fleet.dearest));
            let requests = rng.usize(1..30);
            if rng.bool() {
                let burst = (0..requests).map(|_| self.ask(client, cost, begun));
                log.extend(join_all(burst).await.into_iter().flatten());
            } else {
                for _ in 0..requests {
                    log.extend(self.ask(client, cost, begun).await);
                }
            }
            match rng.u8(..4) {
                0 => {}
                1 => sleep(Duration::from_millis(rng.u64(1..120))).await,
                _ => sleep(Duration::from_millis(rng.u64(1..10))).await,
            }
        }
        log
    }

    async fn ask(&self, client: u32, cost: u64, begun: Instant) -> Option<Admission> {
        let asked = begun.elapsed().into();
        let id = ClientId::Text(client.to_string().into());
        let verdict = self.limiter.take(&self.policy, &id, cost).await;
        verdict.decision.passes().then(|| Admission {
            client,
            cost,
            asked,
            answered: begun.elapsed().into(),
        })
    }
}

/// The most by which any interval exceeds C + r·(t + `slack`), in tokens times the refill's `per`; at most 0 when the promise holds.
///
/// An admission counts for an interval that holds both of its ends, so it certainly happened within. Whatever the worst interval
/// is, it can be shrunk to begin where some request was asked and to end where some was answered.
fn worst_excess(bucket: &BucketSpec, slack: Micros, log: &[Admission]) -> i128 {
    // The two clocks, the store's and ours, may be slewed apart a little, and each reading is cut to a microsecond.
    let slack = i128::from(slack.get()) + 1_000;
    let rate = i128::from(bucket.refill().tokens());
    let per = i128::from(bucket.refill().per().get());
    let mut ended = log.to_vec();
    ended.sort_by_key(|admission| admission.answered);
    let mut worst = i128::MIN;
    for Admission { asked: from, .. } in log {
        let mut sum = 0;
        for admission in ended.iter().filter(|admission| admission.asked >= *from) {
            sum += i128::from(admission.cost);
            let span = i128::from(admission.answered.get() - from.get()) + slack;
            let allowed = i128::from(bucket.capacity()) * per + rate * span;
            worst = worst.max(sum * per - allowed);
        }
    }
    worst
}

/// Whoever looks at the keys of a fleet while it runs.
#[derive(Default)]
struct Watch {
    /// Keys looked at.
    seen: AtomicU64,
    stop: AtomicBool,
}

impl Watch {
    /// Whether any key was looked at yet. A fleet that begun long ago is not to run for ever.
    fn has_seen(&self, begun: Instant) -> bool {
        assert!(begun.elapsed() < PATIENCE, "no key was ever looked at");
        self.seen.load(Ordering::Relaxed) > 0
    }

    /// Looks at the keys until told to stop: each must live at least until its bucket is full.
    async fn expiry(&self, url: &str, fleet: &Fleet) {
        let script = Script::new(
            "local time = redis.call('TIME') \
             return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), time[1] * 1000000 + time[2]}",
        );
        let client = redis::Client::open(url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        while !self.stop.load(Ordering::Relaxed) {
            for client in 0..fleet.clients {
                let key = format!("{}:v1:limit:{{limit:{client}}}", fleet.prefix());
                let (full_at, left, now): (Option<u64>, i64, u64) =
                    script.key(key).invoke_async(&mut connection).await.unwrap();
                let Some(full_at) = full_at else { continue };
                let left = u64::try_from(left).expect("a key without expiry");
                assert!(now + left * 1_000 >= full_at, "{fleet:?}: {left} ms left");
                self.seen.fetch_add(1, Ordering::Relaxed);
            }
            sleep(Duration::from_millis(3)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn random_fleets_keep_the_bound_over_every_interval() {
    let server = Server::start().await;
    let begun = Instant::now();
    let (mut seed, mut admissions) = (0, 0);
    while seed < FLEETS || admissions < ENOUGH {
        assert!(
            begun.elapsed() < PATIENCE * 8,
            "{admissions}: nothing was put to the test"
        );
        let fleet = Fleet::random(seed);
        seed += 1;
        let log = watched(&fleet, &server.url()).await;
        for client in 0..fleet.clients {
            let of_client = log.iter().filter(|admission| admission.client == client);
            let log: Vec<_> = of_client.copied().collect();
            let excess = worst_excess(fleet.settings().spec.bucket().unwrap(), fleet.slack(), &log);
            assert!(excess <= 0, "{fleet:?}: {excess} too many");
            admissions += log.len();
        }
    }
}

/// Everything that was admitted to a fleet, its keys looked at meanwhile.
async fn watched(fleet: &Fleet, url: &str) -> Vec<Admission> {
    let watch = Arc::new(Watch::default());
    let running = async {
        let (fleet, url, seen) = (fleet.clone(), url.to_owned(), Arc::clone(&watch));
        let log = tokio::task::spawn_blocking(move || fleet.run(&url, &seen)).await;
        watch.stop.store(true, Ordering::Relaxed);
        log.unwrap()
    };
    tokio::join!(watch.expiry(url, fleet), running).1
}

#[test]
fn the_reference_sees_what_is_one_too_many() {
    let bucket = BucketSpec::new(2, "10/1s".parse().unwrap()).unwrap();
    let at = |millis| Admission {
        client: 0,
        cost: 1,
        asked: Micros::from_millis(millis),
        answered: Micros::from_millis(millis + 1),
    };
    // Two at once, then one each 100 ms: all that the bucket gives.
    let fair = [at(0), at(0), at(100), at(200), at(300)];
    assert!(worst_excess(&bucket, Micros::ZERO, &fair) <= 0);
    let early = [at(0), at(0), at(100), at(200), at(210)];
    assert!(worst_excess(&bucket, Micros::ZERO, &early) > 0);
    assert!(worst_excess(&bucket, Micros::from_millis(100), &early) <= 0);
}
