//! What every store promises of a circuit: one suite, run over the embedded store and over a real Redis.
//!
//! `circuit_property.rs` holds the two machines equal command by command; here it is the stores' own part: the clock, the expiry,
//! the events, any name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support {
    pub(crate) mod redis;
}

use std::sync::Arc;
use std::time::Duration;

use gateway::policy::circuit::{
    Cause, CircuitSpec, Command, Hold, Outcomes, ProbeId, Quorum, RatioSpec, SlowSpec, State, View,
};
use gateway::policy::ids::{MAX_TEXT, UpstreamName};
use gateway::policy::units::Micros;
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Event, Events, Health, Store, op};
use support::redis::Server;
use tokio::time::{sleep, timeout};

/// A store and a second handle on it, as another replica would have.
struct World {
    store: Store,
    other: Store,
    server: Option<Server>,
}

fn embedded() -> World {
    let store = Store::memory(16);
    World {
        other: store.clone(),
        store,
        server: None,
    }
}

async fn shared() -> World {
    let server = Server::start().await;
    let url = StoreUrl::parse(&server.url()).unwrap();
    let settings = Settings {
        timeout: Duration::from_secs(5),
        ..Settings::default()
    };
    let open = || {
        let health = Arc::new(Health::new(settings.failures));
        Store::redis(&url, &settings, health, op::unobserved()).unwrap()
    };
    World {
        store: open(),
        other: open(),
        server: Some(server),
    }
}

macro_rules! contract {
    ($($promise:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(start_paused = true)]
            async fn $promise() {
                super::$promise(&super::embedded()).await;
            })*
        }
        mod shared {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(&super::shared().await).await;
            })*
        }
    };
}

contract![
    an_unknown_circuit_is_closed,
    a_circuit_opens_probes_and_closes_by_the_stores_clock,
    everybody_hears_of_each_transition_and_of_the_first_failure,
    an_operators_words_come_back_as_they_were,
    shares_open_it,
    circuits_do_not_touch,
    two_ask_and_one_probes,
    a_record_expires_once_it_cannot_matter,
];

fn upstream() -> UpstreamName {
    "default".into()
}

fn spec() -> CircuitSpec {
    CircuitSpec {
        failures: 2,
        window: Micros::from_secs(60),
        reset: Micros::from_millis(100),
        probes: 1,
        quorum: Quorum::Auto,
        ratio: None,
        slow: None,
    }
}

fn report(epoch: u64, outcomes: Outcomes, probe: Option<ProbeId>) -> Command {
    Command::Report {
        epoch,
        replica: "a".into(),
        outcomes,
        probe,
    }
}

fn admit(replica: &str) -> Command {
    Command::Admit {
        replica: replica.into(),
        lease: Micros::from_secs(30),
    }
}

async fn ask(store: &Store, command: &Command) -> View {
    store.circuit(&upstream(), &spec(), command).await.unwrap()
}

async fn open(world: &World) -> View {
    let view = ask(&world.store, &report(0, Outcomes::of(0, 2, 0), None)).await;
    assert_eq!(view.state, State::Open);
    view
}

async fn next(events: &mut Events) -> Event {
    let event = timeout(Duration::from_secs(10), events.next()).await;
    event.expect("an event in time").expect("an open channel")
}

async fn an_unknown_circuit_is_closed(world: &World) {
    let view = ask(&world.store, &Command::View).await;
    assert_eq!(
        (view.state, view.epoch, view.last),
        (State::Closed, 0, None)
    );
    assert!(ask(&world.store, &admit("a")).await.probe.is_none());
}

async fn a_circuit_opens_probes_and_closes_by_the_stores_clock(world: &World) {
    let opened = open(world).await;
    assert_eq!(opened.epoch, opened.now.get(), "an epoch is a time");
    let seen = ask(&world.other, &Command::View).await;
    assert_eq!(
        (seen.state, seen.epoch, seen.moved),
        (State::Open, opened.epoch, false)
    );
    assert!(seen.retry_after <= spec().reset);
    sleep(seen.retry_after.to_duration() + Duration::from_millis(2)).await;
    let granted = ask(&world.other, &admit("b")).await;
    assert_eq!(granted.state, State::HalfOpen);
    let success = report(granted.epoch, Outcomes::SUCCESS, granted.probe);
    let closed = ask(&world.other, &success).await;
    assert_eq!(closed.transition().unwrap().cause, Cause::ProbesSucceeded);
    assert!(ask(&world.other, &success).await.stale);
}

async fn everybody_hears_of_each_transition_and_of_the_first_failure(world: &World) {
    let mut events = world.other.subscribe().await.unwrap();
    let told = |epoch| Event::Circuit {
        upstream: upstream(),
        epoch,
    };
    ask(&world.store, &report(0, Outcomes::SUCCESS, None)).await;
    ask(&world.store, &report(0, Outcomes::FAILURE, None)).await;
    assert_eq!(next(&mut events).await, told(0));
    let opened = ask(&world.store, &report(0, Outcomes::FAILURE, None)).await;
    assert_eq!(next(&mut events).await, told(opened.epoch));
    // Nothing is told of what changes nothing.
    ask(&world.store, &report(0, Outcomes::FAILURE, None)).await;
    ask(&world.store, &admit("a")).await;
    let forced = ask(&world.store, &force(None, "ops", "")).await;
    assert_eq!(next(&mut events).await, told(forced.epoch));
}

fn force(to: Option<Hold>, by: &str, reason: &str) -> Command {
    Command::Force {
        to,
        by: by.into(),
        reason: reason.into(),
    }
}

async fn an_operators_words_come_back_as_they_were(world: &World) {
    let words = "\"quotes\" 'n \\ \n\u{1}\u{fc}\u{1f525} {}";
    for to in [Hold::Open, Hold::Closed] {
        ask(&world.store, &force(Some(to), words, words)).await;
        let view = ask(&world.other, &Command::View).await;
        assert_eq!(view.state, to.state());
        let forced = view.forced.unwrap();
        assert_eq!(
            (forced.to, &*forced.by, &*forced.reason),
            (to, words, words)
        );
        assert_eq!(&*view.last.unwrap().by, words);
    }
    let reset = ask(&world.store, &force(None, "", "")).await;
    assert_eq!((reset.state, reset.forced), (State::Closed, None));
}

async fn shares_open_it(world: &World) {
    let ratio = CircuitSpec {
        failures: 1_000,
        ratio: Some(RatioSpec {
            threshold: 1.0 / 3.0,
            minimum: 9,
        }),
        ..spec()
    };
    let slow = CircuitSpec {
        slow: Some(SlowSpec {
            duration: Micros::from_secs(1),
            threshold: 0.1,
            minimum: 10,
        }),
        ..spec()
    };
    for (name, spec, outcomes, cause) in [
        ("ratio", ratio, Outcomes::of(6, 3, 0), Cause::Ratio),
        ("slow", slow, Outcomes::of(10, 0, 1), Cause::Slow),
    ] {
        let told = report(0, outcomes, None);
        let view = world
            .store
            .circuit(&name.into(), &spec, &told)
            .await
            .unwrap();
        assert_eq!(view.transition().map(|last| last.cause), Some(cause));
    }
}

async fn circuits_do_not_touch(world: &World) {
    let mut events = world.store.subscribe().await.unwrap();
    let long = "\u{fc}".repeat(MAX_TEXT / 2);
    for name in ["a", "a}", "{a}", "a:b", "\"", "\\", "\u{1}\n", &long] {
        let upstream = UpstreamName::from(name);
        let failures = report(0, Outcomes::of(0, 2, 0), None);
        let view = world
            .store
            .circuit(&upstream, &spec(), &failures)
            .await
            .unwrap();
        assert_eq!((view.state, view.moved), (State::Open, true), "{name:?}");
        let epoch = view.epoch;
        assert_eq!(next(&mut events).await, Event::Circuit { upstream, epoch });
    }
    assert_eq!(ask(&world.store, &Command::View).await.state, State::Closed);
}

async fn two_ask_and_one_probes(world: &World) {
    let opened = open(world).await;
    sleep(opened.retry_after.to_duration() + Duration::from_millis(2)).await;
    let (for_a, for_b) = (admit("a"), admit("b"));
    let (a, b) = tokio::join!(ask(&world.store, &for_a), ask(&world.other, &for_b));
    assert_eq!(a.epoch, b.epoch);
    assert!(a.moved != b.moved);
    assert!(a.probe.is_some() != b.probe.is_some());
    let probe = a.probe.or(b.probe).unwrap();
    assert!(!ask(&world.store, &Command::Abandon { probe }).await.stale);
    let again = ask(&world.store, &admit("b")).await.probe;
    assert!(again.is_some_and(|again| again > probe));
}

async fn a_record_expires_once_it_cannot_matter(world: &World) {
    open(world).await;
    let Some(server) = &world.server else {
        // Twice the window, and a minute.
        sleep(Duration::from_secs(179)).await;
        assert_ne!(ask(&world.store, &Command::View).await.epoch, 0);
        sleep(Duration::from_secs(179)).await;
        assert_ne!(
            ask(&world.store, &Command::View).await.epoch,
            0,
            "a view renews it"
        );
        sleep(Duration::from_secs(181)).await;
        assert_eq!(ask(&world.store, &Command::View).await.epoch, 0);
        return;
    };
    let key = "api-gateway:v1:circuit:{default}";
    let lives_for = async || server.run::<i64>(&["PTTL", key]).await.unwrap();
    assert!((170_000..=180_000).contains(&lives_for().await));
    let _: i64 = server.run(&["PEXPIRE", key, "80000"]).await.unwrap();
    ask(&world.store, &Command::View).await;
    assert!(
        (170_000..=180_000).contains(&lives_for().await),
        "a view renews it"
    );
    ask(&world.store, &force(Some(Hold::Closed), "ops", "")).await;
    assert!(lives_for().await > 29 * 86_400_000);
}
