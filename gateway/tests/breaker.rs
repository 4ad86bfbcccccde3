//! What several replicas see of one circuit: each breaker here is a process of its own, as far as it knows.
//!
//! Over the embedded store time is paused, so that waiting costs nothing; Redis keeps its own time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support {
    pub(crate) mod redis;
}

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway::breaker::{
    self, Breaker, Circuit, Hook, Outcome, Permit, Rejected, Scope, Transition,
};
use gateway::policy::circuit::{
    Cause, CircuitSpec, Command, Hold, Outcomes, Quorum, RatioSpec, State, View,
};
use gateway::policy::ids::{ReplicaId, UpstreamName};
use gateway::policy::units::Micros;
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Health, Observer, Store, health, op};
use support::redis::{Server, eventually};
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

const LEASE: Duration = Duration::from_secs(5);
const RESET: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_secs(1);
const QUICK: Duration = Duration::from_millis(1);

fn upstream() -> UpstreamName {
    "default".into()
}

fn spec() -> CircuitSpec {
    CircuitSpec {
        failures: 3,
        window: Micros::from_secs(60),
        reset: RESET.into(),
        probes: 1,
        quorum: Quorum::Auto,
        ratio: None,
        slow: None,
    }
}

/// One gateway: its circuit, its handle on the store, and what it was told.
struct Replica {
    breaker: Arc<Breaker>,
    circuit: Arc<Circuit>,
    store: Store,
    told: Arc<Mutex<Vec<Transition>>>,
    background: Option<JoinHandle<()>>,
}

impl Replica {
    fn start(name: &str, store: Store, spec: CircuitSpec, poll: Duration) -> Self {
        let mut replica = Self::deaf(name, store, spec, poll);
        let (breaker, store) = (Arc::clone(&replica.breaker), replica.store.clone());
        replica.background = Some(tokio::spawn(async move {
            breaker::sync(&breaker, &store).await;
        }));
        replica
    }

    /// One that hears nothing but answers.
    fn deaf(name: &str, store: Store, spec: CircuitSpec, poll: Duration) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let hook: Hook = Arc::new(move |_, transition: &Transition| {
            hears.lock().unwrap().push(transition.clone());
        });
        let breaker = Breaker::new(
            vec![(upstream(), spec)],
            &ReplicaId::from(name),
            poll,
            &hook,
        );
        Self {
            circuit: breaker.circuit(&upstream()).unwrap(),
            breaker: Arc::new(breaker),
            store,
            told,
            background: None,
        }
    }

    async fn admit(&self) -> Result<Permit<'_>, Rejected> {
        self.circuit.admit(&self.store, LEASE).await
    }

    /// Makes a call that goes as told, if it may.
    async fn call(&self, outcome: Outcome) -> Result<(), Rejected> {
        self.admit()
            .await?
            .report(&self.store, outcome, QUICK)
            .await;
        Ok(())
    }

    async fn fail(&self, times: u32) {
        for _ in 0..times {
            let _ = self.call(Outcome::Failure).await;
        }
    }

    fn state(&self) -> State {
        self.circuit.snapshot().state
    }

    fn causes(&self, scope: Scope) -> Vec<Cause> {
        let told = self.told.lock().unwrap();
        let of_scope = told.iter().filter(|transition| transition.scope == scope);
        of_scope.map(|transition| transition.cause).collect()
    }

    async fn becomes(&self, state: State) {
        eventually("the circuit's state", async || self.state() == state).await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(background) = self.background.take() {
            background.abort();
        }
    }
}

/// Three replicas on one embedded store.
async fn fleet(spec: &CircuitSpec) -> [Replica; 3] {
    let store = Store::memory(16);
    let fleet = ["a", "b", "c"].map(|name| Replica::start(name, store.clone(), spec.clone(), POLL));
    // Everybody listens before anything happens.
    sleep(QUICK).await;
    fleet
}

async fn opened() -> [Replica; 3] {
    let fleet = fleet(&spec()).await;
    fleet[0].fail(3).await;
    for replica in &fleet {
        replica.becomes(State::Open).await;
    }
    fleet
}

#[tokio::test(start_paused = true)]
async fn what_one_finds_out_all_know() {
    let fleet = opened().await;
    for replica in &fleet {
        let rejected = replica.call(Outcome::Success).await.unwrap_err();
        assert!(rejected.retry_after <= RESET.into());
        assert!(rejected.retry_after > Micros::from_secs(9));
        assert_eq!(replica.causes(Scope::Fleet), [Cause::Failures]);
        assert_eq!(replica.causes(Scope::Replica), []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_fleet_probes_once_and_its_success_closes_everybodys_circuit() {
    let [a, b, c] = opened().await;
    advance(RESET).await;
    let probe = b.admit().await.unwrap();
    assert!(probe.is_probe());
    for replica in [&a, &b, &c] {
        assert!(replica.admit().await.is_err());
    }
    probe.report(&b.store, Outcome::Success, QUICK).await;
    for replica in [&a, &b, &c] {
        replica.becomes(State::Closed).await;
        replica.call(Outcome::Success).await.unwrap();
        let causes = [Cause::Failures, Cause::ResetElapsed, Cause::ProbesSucceeded];
        assert_eq!(replica.causes(Scope::Fleet), causes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_opens_everybodys_circuit_again() {
    let [a, b, c] = opened().await;
    advance(RESET).await;
    b.call(Outcome::Failure).await.unwrap();
    for replica in [&a, &b, &c] {
        replica.becomes(State::Open).await;
        assert!(replica.admit().await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_dies_does_not_keep_the_probe() {
    let [a, b, _c] = opened().await;
    advance(RESET).await;
    let dead = a.admit().await.unwrap();
    let waits = b.admit().await.unwrap_err().retry_after;
    assert!(waits <= LEASE.into());
    advance(waits.to_duration()).await;
    eventually("the probe is granted anew", async || {
        b.admit().await.is_ok_and(|permit| permit.is_probe())
    })
    .await;
    std::mem::forget(dead);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_client_leaves_is_given_back() {
    let [a, b, _c] = opened().await;
    advance(RESET).await;
    drop(a.admit().await.unwrap());
    let begun = tokio::time::Instant::now();
    eventually("another has the probe", async || b.admit().await.is_ok()).await;
    assert!(begun.elapsed() <= POLL * 2, "sooner than the lease's end");
}

#[tokio::test(start_paused = true)]
async fn outcomes_of_before_a_transition_change_nothing() {
    let [a, b, _c] = fleet(&spec()).await;
    let late: Vec<_> = futures(&a, 5).await;
    b.fail(3).await;
    a.becomes(State::Open).await;
    advance(RESET).await;
    b.call(Outcome::Success).await.unwrap();
    a.becomes(State::Closed).await;
    for permit in late {
        permit.report(&a.store, Outcome::Failure, QUICK).await;
    }
    assert_eq!(a.state(), State::Closed);
    assert_eq!(a.circuit.snapshot().failures, 0);
}

async fn futures(replica: &Replica, count: u32) -> Vec<Permit<'_>> {
    let mut permits = Vec::new();
    for _ in 0..count {
        permits.push(replica.admit().await.unwrap());
    }
    permits
}

#[tokio::test(start_paused = true)]
async fn a_sick_replica_cuts_off_nobody_but_itself() {
    let [sick, b, c] = fleet(&spec()).await;
    sick.fail(1).await;
    // They hear of it, and their next successes are news.
    eventually("the failure is known", async || {
        b.circuit.snapshot().failures == 1
    })
    .await;
    b.call(Outcome::Success).await.unwrap();
    c.call(Outcome::Success).await.unwrap();
    sick.fail(20).await;
    assert_eq!(sick.state(), State::Open);
    assert_eq!(sick.circuit.snapshot().fleet, State::Closed);
    assert_eq!(sick.causes(Scope::Replica), [Cause::Failures]);
    for replica in [&b, &c] {
        replica.call(Outcome::Success).await.unwrap();
        assert_eq!(replica.causes(Scope::Fleet), []);
    }
    // It comes back by a probe of its own.
    advance(RESET).await;
    let probe = sick.admit().await.unwrap();
    assert!(probe.is_probe() && sick.admit().await.is_err());
    probe.report(&sick.store, Outcome::Success, QUICK).await;
    assert_eq!(sick.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_own_view_is_given_up_when_the_fleet_or_an_operator_decides() {
    let [sick, b, c] = fleet(&spec()).await;
    b.fail(1).await;
    b.call(Outcome::Success).await.unwrap();
    sick.fail(3).await;
    assert_eq!(sick.circuit.snapshot().own, State::Open);
    // Another one fails too: now it is the fleet's, and the fleet's probe is the only one.
    c.fail(1).await;
    eventually("the fleet has opened", async || {
        sick.circuit.snapshot().fleet == State::Open
    })
    .await;
    assert_eq!(sick.circuit.snapshot().own, State::Closed);
    advance(RESET).await;
    b.call(Outcome::Success).await.unwrap();
    sick.becomes(State::Closed).await;
    sick.fail(3).await;
    assert_eq!(sick.circuit.snapshot().own, State::Open);
    let held = b
        .breaker
        .force(&b.store, &upstream(), Hold::Closed, "ops", "")
        .await;
    assert!(held.is_ok());
    sick.becomes(State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_upstream_is_found_out_by_busy_replicas_together() {
    let [a, b, c] = fleet(&spec()).await;
    a.fail(1).await;
    eventually("the failure is known", async || {
        b.circuit.snapshot().failures == 1
    })
    .await;
    b.call(Outcome::Success).await.unwrap();
    a.fail(2).await;
    b.fail(1).await;
    for replica in [&a, &b, &c] {
        replica.becomes(State::Open).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_decides_for_all() {
    let [a, b, c] = fleet(&spec()).await;
    let held = a
        .breaker
        .force(&a.store, &upstream(), Hold::Open, "ops", "drill")
        .await;
    assert_eq!(held.unwrap().state, State::Open);
    for replica in [&a, &b, &c] {
        replica.becomes(State::Open).await;
        let forced = replica.circuit.snapshot().forced.unwrap();
        assert_eq!((&*forced.by, &*forced.reason), ("ops", "drill"));
    }
    advance(RESET * 100).await;
    assert!(b.admit().await.is_err(), "not even a probe");
    b.breaker
        .force(&b.store, &upstream(), Hold::Closed, "ops", "")
        .await
        .unwrap();
    a.becomes(State::Closed).await;
    a.fail(50).await;
    assert_eq!(a.state(), State::Closed);
    c.breaker
        .reset(&c.store, &upstream(), "ops", "")
        .await
        .unwrap();
    eventually("given back", async || a.circuit.snapshot().forced.is_none()).await;
    a.fail(3).await;
    assert_eq!(a.state(), State::Open);
    let seen: Vec<_> = a.circuit.snapshot().transitions;
    let causes: Vec<_> = seen.iter().map(|transition| transition.cause).collect();
    assert_eq!(
        causes,
        [Cause::Forced, Cause::Forced, Cause::Reset, Cause::Failures]
    );
}

#[tokio::test(start_paused = true)]
async fn a_share_of_failures_is_counted_over_all_replicas() {
    let ratio = RatioSpec {
        threshold: 0.5,
        minimum: 12,
    };
    let spec = CircuitSpec {
        failures: 1_000,
        ratio: Some(ratio),
        ..spec()
    };
    let [a, b, c] = fleet(&spec).await;
    for replica in [&a, &b, &c] {
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Failure] {
            replica.call(outcome).await.unwrap();
        }
    }
    advance(POLL).await;
    assert_eq!(a.state(), State::Closed, "nine calls say nothing");
    for _ in 0..3 {
        b.call(Outcome::Success).await.unwrap();
    }
    for replica in [&a, &b, &c] {
        replica.becomes(State::Open).await;
        assert_eq!(replica.causes(Scope::Fleet), [Cause::Ratio]);
    }
}

// === On a real Redis ===

/// A handle of one replica, its health, and how many calls it made.
struct Handle {
    store: Store,
    health: Arc<Health>,
    calls: Arc<AtomicU64>,
}

fn open(server: &Server, timeout: Duration) -> Handle {
    let url = StoreUrl::parse(&server.url()).unwrap();
    let settings = Settings {
        timeout,
        ..Settings::default()
    };
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let observer: Observer = Arc::new(move |op, _, _| {
        if op == op::Op::Circuit {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let health = Arc::new(Health::new(settings.failures));
    let store = Store::redis(&url, &settings, Arc::clone(&health), observer).unwrap();
    Handle {
        store,
        health,
        calls,
    }
}

/// Long enough for a busy machine.
const PATIENT: Duration = Duration::from_secs(5);

fn brisk() -> CircuitSpec {
    CircuitSpec {
        reset: Micros::from_millis(300),
        ..spec()
    }
}

async fn listening(server: &Server, replicas: u64) {
    eventually("all listen", async || {
        let channel = "api-gateway:v1:events";
        let said: Vec<(String, u64)> = server.run(&["PUBSUB", "NUMSUB", channel]).await.unwrap();
        said[0].1 == replicas
    })
    .await;
}

#[tokio::test]
async fn a_redis_fleet_opens_probes_once_and_closes() {
    let server = Server::start().await;
    let fleet = ["a", "b", "c"].map(|name| {
        let store = open(&server, PATIENT).store;
        // Nobody polls within this test: what is known was told.
        Replica::start(name, store, brisk(), Duration::from_secs(3_600))
    });
    listening(&server, 3).await;
    fleet[0].fail(3).await;
    for replica in &fleet {
        replica.becomes(State::Open).await;
    }
    sleep(Duration::from_millis(310)).await;
    let mut probes = Vec::new();
    for replica in &fleet {
        probes.extend(replica.admit().await.ok().map(|permit| (replica, permit)));
        assert!(replica.admit().await.is_err());
    }
    assert_eq!(probes.len(), 1, "one probe in the whole fleet");
    for (replica, permit) in probes {
        permit.report(&replica.store, Outcome::Success, QUICK).await;
    }
    for replica in &fleet {
        replica.becomes(State::Closed).await;
    }
}

#[tokio::test]
async fn a_closed_circuit_makes_no_call() {
    let server = Server::start().await;
    let handle = open(&server, PATIENT);
    let replica = Replica::deaf("a", handle.store, spec(), POLL);
    for _ in 0..1_000 {
        replica.call(Outcome::Success).await.unwrap();
    }
    assert_eq!(handle.calls.load(Ordering::Relaxed), 0);
    replica.fail(1).await;
    replica.call(Outcome::Success).await.unwrap();
    replica.call(Outcome::Success).await.unwrap();
    assert_eq!(
        handle.calls.load(Ordering::Relaxed),
        2,
        "the failure, and the success that ends it"
    );
    replica.fail(3).await;
    let opened = handle.calls.load(Ordering::Relaxed);
    for _ in 0..1_000 {
        assert!(replica.admit().await.is_err());
    }
    assert_eq!(
        handle.calls.load(Ordering::Relaxed),
        opened,
        "refusals are remembered"
    );
}

#[tokio::test]
async fn of_all_requests_of_a_replica_one_asks_for_the_probe() {
    let server = Server::start().await;
    let handle = open(&server, Duration::from_millis(300));
    let replica = Replica::deaf("a", handle.store, brisk(), POLL);
    replica.fail(3).await;
    sleep(Duration::from_millis(310)).await;
    let before = handle.calls.load(Ordering::Relaxed);
    server.freeze();
    let asking = replica.admit();
    let others = async {
        for _ in 0..100 {
            assert!(replica.admit().await.is_err());
        }
    };
    let (asked, ()) = tokio::join!(asking, others);
    server.thaw();
    assert!(asked.is_err());
    assert_eq!(handle.calls.load(Ordering::Relaxed), before + 1);
}

#[tokio::test]
async fn a_replica_alone_decides_alone_and_comes_back() {
    let mut server = Server::start().await;
    let handle = open(&server, Duration::from_millis(200));
    let watching = tokio::spawn({
        let (store, health) = (handle.store.clone(), Arc::clone(&handle.health));
        async move { health::watch(store, &health).await }
    });
    let poll = Duration::from_millis(50);
    let replica = Replica::start("a", handle.store.clone(), brisk(), poll);
    listening(&server, 1).await;
    server.kill();
    replica.fail(3).await;
    assert_eq!(replica.state(), State::Open);
    assert_eq!(replica.circuit.snapshot().fleet, State::Closed);
    eventually("the store is lost", async || !handle.store.is_up()).await;
    // Its own probe fails, then the store comes back and knows of nothing.
    eventually("a probe", async || {
        replica.call(Outcome::Failure).await.is_ok()
    })
    .await;
    assert_eq!(replica.state(), State::Open);
    server.restart();
    eventually("the store is found", async || handle.store.is_up()).await;
    assert_eq!(
        replica.circuit.snapshot().own,
        State::Open,
        "what it found out stands"
    );
    eventually("a probe", async || {
        replica.call(Outcome::Success).await.is_ok()
    })
    .await;
    replica.becomes(State::Closed).await;
    watching.abort();
}

#[tokio::test]
async fn an_open_circuit_is_probed_though_the_store_is_lost() {
    let mut server = Server::start().await;
    let handle = open(&server, Duration::from_millis(200));
    let replica = Replica::deaf("a", handle.store.clone(), brisk(), POLL);
    replica.fail(3).await;
    assert_eq!(replica.circuit.snapshot().fleet, State::Open);
    server.kill();
    eventually("a probe of its own", async || {
        replica.call(Outcome::Success).await.is_ok()
    })
    .await;
    assert_eq!(replica.state(), State::Closed);
    assert_eq!(
        replica.causes(Scope::Replica),
        [Cause::ResetElapsed, Cause::ProbesSucceeded]
    );
}

async fn forced_without_a_word(server: &Server) {
    let script = redis::Script::new(include_str!("../src/store/redis/circuit.lua"));
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut call = script.key("api-gateway:v1:circuit:{default}");
    for word in [
        "force",
        "elsewhere",
        "default",
        "3",
        "60000000",
        "10000000",
        "1",
        "0",
    ] {
        call.arg(word);
    }
    for word in ["", "0", "", "0", "", "open", "somebody", "untold"] {
        call.arg(word);
    }
    let _: redis::Value = call.invoke_async(&mut connection).await.unwrap();
}

#[tokio::test]
async fn what_was_never_told_is_found_by_the_poll() {
    let server = Server::start().await;
    let poll = Duration::from_millis(50);
    let replica = Replica::start("a", open(&server, PATIENT).store, spec(), poll);
    listening(&server, 1).await;
    forced_without_a_word(&server).await;
    replica.becomes(State::Open).await;
}

#[tokio::test]
async fn a_channel_that_broke_is_opened_again_and_what_it_missed_is_looked_up() {
    let server = Server::start().await;
    let never = Duration::from_secs(3_600);
    let replica = Replica::start("a", open(&server, PATIENT).store, spec(), never);
    listening(&server, 1).await;
    forced_without_a_word(&server).await;
    let _: u64 = server
        .run(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await
        .unwrap();
    replica.becomes(State::Open).await;
}

#[tokio::test]
async fn a_circuit_whose_record_was_lost_is_closed() {
    let server = Server::start().await;
    let poll = Duration::from_millis(50);
    let replica = Replica::start("a", open(&server, PATIENT).store, spec(), poll);
    replica.fail(3).await;
    assert_eq!(replica.state(), State::Open);
    let _: String = server.run(&["FLUSHALL"]).await.unwrap();
    replica.becomes(State::Closed).await;
    replica.fail(3).await;
    assert_eq!(replica.state(), State::Open);
}

#[tokio::test]
async fn what_the_store_answers_is_what_it_was_told() {
    let server = Server::start().await;
    let store = open(&server, PATIENT).store;
    let report = Command::Report {
        epoch: 0,
        replica: "a".into(),
        outcomes: Outcomes::of(0, 2, 0),
        probe: None,
    };
    let view: View = store.circuit(&upstream(), &spec(), &report).await.unwrap();
    assert_eq!((view.failures, view.stale, view.moved), (2, false, false));
}
