//! Replicas over one store: whatever arrives when and where, no interval of any length sees more admitted than the bound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gateway::limiter::settings::{KeySettings, LegacyHeaders, OnStoreFailure, PolicySettings};
use gateway::limiter::{Limiter, Policy, Shared, Verdicts, Want};
use gateway::policy::ids::ClientId;
use gateway::policy::token_bucket::BucketSpec;
use gateway::policy::units::{Micros, Rate};
use gateway::store::Store;
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_oneof, proptest};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{Instant, advance, sleep};

const CLIENT: ClientId = ClientId::V4(std::net::Ipv4Addr::LOCALHOST);

fn limit(capacity: u64, rate: Rate, lease: Option<Duration>) -> PolicySettings {
    PolicySettings {
        name: "limit".into(),
        key: KeySettings::Global,
        spec: BucketSpec::new(capacity, rate).unwrap().into(),
        leases: lease.is_some(),
        lease_lifetime: lease.unwrap_or(Duration::from_millis(50)),
        on_store_failure: OnStoreFailure::Deny,
        shadow: false,
        legacy_headers: LegacyHeaders::None,
    }
}

/// Some requests at one replica, then a pause.
#[derive(Clone, Debug)]
struct Step {
    replica: usize,
    requests: usize,
    cost: u64,
    how: How,
    pause: Duration,
}

#[derive(Clone, Copy, Debug)]
enum How {
    /// At once.
    Together,
    /// One after the other's answer.
    InTurn,
    /// The clients leave before they hear.
    Leaving,
    /// Under a second limit that denies.
    Undone,
}

fn step(dearest: u64) -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        4 => Just(How::Together),
        4 => Just(How::InTurn),
        1 => Just(How::Leaving),
        1 => Just(How::Undone),
    ];
    let pause = prop_oneof![Just(0_u64), 1_u64..3_000, 1_000_u64..80_000];
    (0..4_usize, 1..40_usize, 1..=dearest, how, pause).prop_map(
        |(replica, requests, cost, how, pause)| Step {
            replica,
            requests,
            cost,
            how,
            pause: Duration::from_micros(pause),
        },
    )
}

/// Tokens admitted, and when.
type Admitted = Vec<(Micros, u64)>;

struct Replica {
    limiter: Limiter,
    policy: Rc<Policy>,
    never: Rc<Policy>,
}

impl Replica {
    fn new(store: &Store, replicas: u64, settings: &PolicySettings) -> Self {
        let shared = Shared::new(Store::memory(1 << 16));
        shared.set_live_replicas(replicas);
        let mut never = limit(1, "1/1h".parse().unwrap(), None);
        never.name = "never".into();
        let limiter = Limiter::new(
            store.clone(),
            vec![settings.clone(), never],
            Arc::clone(&shared),
        );
        Self {
            policy: limiter.policy(&"limit".into()).unwrap(),
            never: limiter.policy(&"never".into()).unwrap(),
            limiter,
        }
    }

    async fn take(&self, cost: u64) -> u64 {
        let verdict = self.limiter.take(&self.policy, &CLIENT, cost).await;
        if verdict.decision.passes() { cost } else { 0 }
    }

    async fn undone(&self, cost: u64) {
        // Another client each time, so that the second limit's denial is not remembered before the first is debited.
        let nobody = ClientId::Text(format!("{:?}", Instant::now()).into());
        while self
            .limiter
            .take(&self.never, &nobody, 1)
            .await
            .decision
            .passes()
        {}
        self.limiter.forget(&"never".into(), &nobody.to_string());
        let wants = [(&self.policy, &CLIENT, cost), (&self.never, &nobody, 1)].map(
            |(policy, client, cost)| Want {
                policy,
                client,
                cost,
            },
        );
        let verdicts = self.limiter.take_all(&wants).await;
        assert!(matches!(verdicts, Verdicts::Refused { .. }));
    }

    async fn play(&self, step: &Step, start: Instant, admitted: &mut Admitted) {
        match step.how {
            How::Together => {
                let costs = join_all((0..step.requests).map(|_| self.take(step.cost))).await;
                admitted.push((start.elapsed().into(), costs.iter().sum()));
            }
            How::InTurn => {
                for _ in 0..step.requests {
                    let cost = self.take(step.cost).await;
                    admitted.push((start.elapsed().into(), cost));
                    sleep(step.pause / 10).await;
                }
            }
            How::Leaving => {
                let (limiter, policy) = (self.limiter.clone(), Rc::clone(&self.policy));
                let cost = step.cost;
                let leaving =
                    spawn_local(async move { limiter.take(&policy, &CLIENT, cost).await });
                for _ in 0..step.requests % 4 {
                    yield_now().await;
                }
                leaving.abort();
            }
            How::Undone => self.undone(step.cost).await,
        }
    }
}

async fn play(settings: &PolicySettings, steps: &[Step]) -> Admitted {
    let store = Store::memory(1 << 16);
    let replicas: Vec<_> = (0..4).map(|_| Replica::new(&store, 4, settings)).collect();
    let start = Instant::now();
    let mut admitted = Vec::new();
    for step in steps {
        replicas[step.replica]
            .play(step, start, &mut admitted)
            .await;
        sleep(step.pause).await;
    }
    admitted
}

/// Whether a client that is alone and does as it is told is never denied twice in a row.
fn is_granted_when_told(settings: &PolicySettings, costs: &[u64]) -> bool {
    let capacity = settings.spec.capacity();
    in_paused_time(async {
        let replica = Replica::new(&Store::memory(1 << 16), 1, settings);
        for cost in costs.iter().filter(|cost| **cost <= capacity) {
            let verdict = replica.limiter.take(&replica.policy, &CLIENT, *cost).await;
            if !verdict.decision.passes() {
                wait_exactly(verdict.retry_after.to_duration()).await;
                if replica.take(*cost).await == 0 {
                    return false;
                }
            }
        }
        true
    })
}

/// Waits to the microsecond. A timer is as coarse as a millisecond, and would hide a wait that is told too short by less.
async fn wait_exactly(span: Duration) {
    let until = Instant::now() + span;
    sleep(span.saturating_sub(Duration::from_millis(2))).await;
    // What was given back meanwhile arrives.
    for _ in 0..10 {
        yield_now().await;
    }
    advance(until.saturating_duration_since(Instant::now())).await;
}

fn in_paused_time<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test)
}

/// How many tokens more than C + r·(t + `slack`) some interval saw, in 1/per of a token; at most 0 when the bound holds.
fn worst_excess(spec: &BucketSpec, slack: Micros, admitted: &Admitted) -> i128 {
    let (tokens, per) = (
        i128::from(spec.refill().tokens()),
        i128::from(spec.refill().per().get()),
    );
    // Instants are cut to whole microseconds, of which an interval may so gain one.
    let allowed = i128::from(spec.capacity()) * per + tokens * (i128::from(slack.get()) + 1);
    let (mut sum, mut lowest, mut worst) = (0, i128::MAX, i128::MIN);
    for (at, cost) in admitted {
        let line = |sum: i128| sum * per - tokens * i128::from(at.get());
        lowest = lowest.min(line(sum));
        sum += i128::from(*cost);
        worst = worst.max(line(sum) - lowest - allowed);
    }
    worst
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn with_leases_no_interval_admits_more_than_the_bound(
        capacity in 1_u64..300,
        rate in 1_u64..50_000,
        millis in 2_u64..100,
        steps in vec(step(3), 1..150),
    ) {
        let rate = Rate::new(rate, Micros::from_secs(1)).unwrap();
        let lifetime = Duration::from_millis(millis);
        let settings = limit(capacity, rate, Some(lifetime));
        let admitted = in_paused_time(play(&settings, &steps));
        let slack = Micros::from_millis(2 * millis);
        prop_assert!(worst_excess(settings.spec.bucket().unwrap(), slack, &admitted) <= 0);
    }

    #[test]
    fn without_leases_the_bucket_is_exact(
        capacity in 1_u64..300,
        rate in 1_u64..50_000,
        steps in vec(step(1), 1..150),
    ) {
        let rate = Rate::new(rate, Micros::from_secs(1)).unwrap();
        let settings = limit(capacity, rate, None);
        let admitted = in_paused_time(play(&settings, &steps));
        prop_assert!(worst_excess(settings.spec.bucket().unwrap(), Micros::ZERO, &admitted) <= 0);
    }

    #[test]
    fn a_denied_client_that_comes_back_when_told_is_granted(
        capacity in 1_u64..50,
        rate in 1_u64..1_000,
        costs in vec(1_u64..20, 1..60),
        leases in any::<bool>(),
    ) {
        let rate = Rate::new(rate, Micros::from_secs(1)).unwrap();
        let settings = limit(capacity, rate, leases.then_some(Duration::from_millis(50)));
        prop_assert!(is_granted_when_told(&settings, &costs));
    }
}

/// At 561 tokens a second none takes a whole microsecond: what a denial debits and gives back must not come back shorter.
#[test]
fn a_wait_is_long_enough_for_a_token_that_went_back() {
    let settings = limit(
        35,
        "561/1s".parse().unwrap(),
        Some(Duration::from_millis(50)),
    );
    assert!(is_granted_when_told(&settings, &[16, 12, 18, 3, 15, 17]));
}

/// Every replica asks more than the limit allows, steadily: nothing of the refill may be lost on the way.
#[test]
fn a_steady_hammering_gets_what_the_limit_allows() {
    for (rate, requests) in [("1000/1s", 1), ("20000/1s", 20), ("50/1s", 1)] {
        let settings = limit(100, rate.parse().unwrap(), Some(Duration::from_millis(50)));
        let admitted: u64 = in_paused_time(async {
            let store = Store::memory(1 << 16);
            let replicas: Vec<_> = (0..3).map(|_| Replica::new(&store, 3, &settings)).collect();
            let mut admitted = 0;
            for _ in 0..10_000 {
                for replica in &replicas {
                    let costs = join_all((0..requests).map(|_| replica.take(1))).await;
                    admitted += costs.iter().sum::<u64>();
                }
                sleep(Duration::from_millis(1)).await;
            }
            admitted
        });
        let refill = settings.spec.bucket().unwrap().refill();
        let allowed = 100 + refill.tokens() * 10_000_000 / refill.per().get();
        assert!(
            admitted * 100 >= allowed * 98,
            "{rate}: {admitted} of {allowed}"
        );
    }
}

/// Replicas that lease in turn and hardly spend keep the bucket from ever being full; if their leases were large, its refill would
/// add up unseen until a burst finds a full bucket and full leases.
#[test]
fn leases_that_are_never_spent_do_not_add_up() {
    let lifetime = Duration::from_millis(50);
    let settings = limit(3_000, "3000/1s".parse().unwrap(), Some(lifetime));
    let trickle = (0..80).map(|turn| Step {
        replica: turn % 4,
        requests: 2,
        cost: 1,
        how: How::InTurn,
        pause: Duration::from_millis(10),
    });
    let burst = (0..8).map(|turn| Step {
        replica: turn % 4,
        requests: 1_000,
        cost: 1,
        how: How::Together,
        pause: Duration::ZERO,
    });
    let steps: Vec<_> = trickle.chain(burst).collect();
    let admitted = in_paused_time(play(&settings, &steps));
    assert!(admitted.iter().map(|(_, cost)| cost).sum::<u64>() > 3_000);
    let excess = worst_excess(
        settings.spec.bucket().unwrap(),
        Micros::from_millis(100),
        &admitted,
    );
    assert!(excess <= 0, "{excess}");
}
