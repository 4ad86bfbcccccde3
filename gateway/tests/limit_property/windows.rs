//! Each algorithm beside the token bucket: as `policy` decides it, as its script decides it on a real Redis, and as a reference
//! decides it that knows only what was admitted so far. The same answers to any history.
//!
//! The scripts take an explicit time as one argument more, which the gateway never sends.

use std::cell::RefCell;

use gateway::policy::token_bucket::Taken;
use gateway::policy::units::{Micros, StoreTime};
use gateway::policy::window::fixed::FixedWindow;
use gateway::policy::window::log::SlidingLog;
use gateway::policy::window::sliding::SlidingWindow;
use gateway::policy::window::{Batch, Counting, WindowSpec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::aio::MultiplexedConnection;

use crate::support::redis::Server;

/// Ten minutes past a whole hour, and a little.
const T0: StoreTime = StoreTime::new(1_800_000_600_012_345);

#[derive(Clone, Debug)]
enum Step {
    Take(Batch),
    /// Of the grant so many before the last, so many tokens.
    GiveBack(usize, u64),
    Later(u64),
    Earlier(u64),
    Become(u64, Micros),
}

fn limits() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1..8_u64, 1 => 1..60_u64]
}

fn windows() -> impl Strategy<Value = Micros> {
    prop_oneof![Just(1_u64), 1..50_u64, Just(1_000_u64), 1_000..100_000_u64]
        .prop_map(Micros::from_millis)
}

fn spans() -> impl Strategy<Value = u64> {
    prop_oneof![0..3_u64, 0..2_000_u64, 0..2_000_000_u64, 0..200_000_000_u64]
}

/// Histories of a clock that only goes on, under one limit: what the reference can follow.
fn calm() -> impl Strategy<Value = Step> {
    let batch = (0..6_u64, 1..4_u64).prop_map(|(requests, cost)| Batch { requests, cost });
    prop_oneof![
        6 => batch.prop_map(Step::Take),
        1 => (0..4_usize, 1..4_u64).prop_map(|(which, tokens)| Step::GiveBack(which, tokens)),
        4 => spans().prop_map(Step::Later),
    ]
}

/// The same with clocks that step back and limits that change.
fn wild() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => calm(),
        1 => spans().prop_map(Step::Earlier),
        1 => (limits(), windows()).prop_map(|(limit, window)| Step::Become(limit, window)),
    ]
}

/// The state of one of the three.
#[derive(Clone, Debug)]
enum State {
    Fixed(FixedWindow),
    Sliding(SlidingWindow),
    Log(SlidingLog),
}

impl State {
    fn new(counting: Counting) -> Self {
        match counting {
            Counting::Fixed => Self::Fixed(FixedWindow::default()),
            Counting::Sliding => Self::Sliding(SlidingWindow::default()),
            Counting::Log => Self::Log(SlidingLog::default()),
        }
    }

    fn take(&mut self, spec: &WindowSpec, batch: Batch, now: StoreTime) -> Taken {
        match self {
            Self::Fixed(state) => state.take(spec, batch, now),
            Self::Sliding(state) => state.take(spec, batch, now),
            Self::Log(state) => state.take(spec, batch, now),
        }
    }

    fn give_back(&mut self, spec: &WindowSpec, tokens: u64, at: StoreTime, now: StoreTime) -> bool {
        match self {
            Self::Fixed(state) => state.give_back(spec, tokens, at, now),
            Self::Sliding(state) => state.give_back(spec, tokens, at, now),
            Self::Log(state) => state.give_back(spec, tokens, at, now),
        }
    }
}

const fn script(counting: Counting) -> &'static str {
    match counting {
        Counting::Fixed => include_str!("../../src/store/redis/fixed_window.lua"),
        Counting::Sliding => include_str!("../../src/store/redis/sliding_window.lua"),
        Counting::Log => include_str!("../../src/store/redis/sliding_log.lua"),
    }
}

/// What was admitted, token by token: all that the reference knows.
#[derive(Clone, Debug, Default)]
struct Reference(Vec<StoreTime>);

impl Reference {
    fn between(&self, from: u64, to: u64) -> u64 {
        let within = |at: &&StoreTime| (from..to).contains(&at.get());
        self.0.iter().filter(within).count() as u64
    }

    /// Tokens left by the definition of each algorithm, in numbers too large to be wrong.
    fn available(&self, spec: &WindowSpec, now: StoreTime) -> u64 {
        let (now, window) = (now.get(), spec.window().get());
        let start = now - now % window;
        let used = match spec.counting() {
            Counting::Fixed => self.between(start, start + window),
            Counting::Sliding => {
                let previous = u128::from(self.between(start - window, start));
                let left = u128::from(window / 1_000 - (now - start) / 1_000);
                let weighed = (previous * left).div_ceil(u128::from(window / 1_000));
                self.between(start, start + window) + u64::try_from(weighed).unwrap()
            }
            // Half-open: what happened exactly a window ago is out.
            Counting::Log => self.between(now - window + 1, now + 1),
        };
        spec.limit().saturating_sub(used)
    }

    /// No more in any window that the algorithm speaks of than it says.
    fn keeps_the_bound(&self, spec: &WindowSpec) -> bool {
        let window = spec.window().get();
        self.0.iter().all(|at| {
            let (from, start) = (at.get(), at.get() - at.get() % window);
            let by_calendar = self.between(start, start + window) <= spec.limit();
            match spec.counting() {
                Counting::Fixed => by_calendar,
                // One and as large a part of the limit more as was over of the window when the interval began.
                Counting::Sliding => {
                    let within = self.between(from, from + window) * window;
                    by_calendar && within <= spec.limit() * (window + from - start)
                }
                Counting::Log => self.between(from, from + window) <= spec.limit(),
            }
        })
    }
}

struct Remote {
    connection: MultiplexedConnection,
    script: &'static str,
    key: String,
}

impl Remote {
    /// The script's answer, and for how many milliseconds the key is kept. Then it is kept for good: the history has a time of its own,
    /// and a key must not go because the machine was busy elsewhere.
    async fn call<T: redis::FromRedisValue>(
        &mut self,
        verb: &str,
        spec: &WindowSpec,
        (a, b): (u64, u64),
        now: StoreTime,
    ) -> (T, i64) {
        let mut call = redis::pipe();
        call.atomic()
            .cmd("EVAL")
            .arg(self.script)
            .arg(1)
            .arg(&self.key);
        call.arg(verb).arg(spec.limit()).arg(spec.window().get());
        call.arg(a).arg(b).arg(now.get());
        call.cmd("PTTL").arg(&self.key);
        call.cmd("PERSIST").arg(&self.key).ignore();
        call.query_async(&mut self.connection).await.unwrap()
    }

    async fn take(&mut self, spec: &WindowSpec, batch: Batch, now: StoreTime) -> ([u64; 5], i64) {
        let asked = (batch.requests, batch.cost);
        self.call("take", spec, asked, now).await
    }

    async fn give_back(
        &mut self,
        spec: &WindowSpec,
        tokens: u64,
        at: StoreTime,
        now: StoreTime,
    ) -> bool {
        let asked = (tokens, at.get());
        self.call("give_back", spec, asked, now).await.0
    }
}

fn numbers(taken: &Taken) -> [u64; 5] {
    [
        taken.granted,
        taken.remaining,
        taken.retry_after.get(),
        taken.full_after.get(),
        taken.at.get(),
    ]
}

/// Script and policy, whatever the clock does and however the limit changes.
async fn same_answers(
    remote: &mut Remote,
    mut spec: WindowSpec,
    history: Vec<Step>,
) -> Result<(), TestCaseError> {
    let (mut state, mut now) = (State::new(spec.counting()), T0);
    let mut grants = Vec::new();
    for step in history {
        match step {
            Step::Later(span) => now = now.after(Micros::new(span)),
            Step::Earlier(span) => now = now.before(Micros::new(span)),
            Step::Become(limit, window) => {
                spec = WindowSpec::new(spec.counting(), limit, window).unwrap();
            }
            Step::Take(batch) => {
                let here = state.take(&spec, batch, now);
                let (there, lives_for) = remote.take(&spec, batch, now).await;
                prop_assert_eq!(there, numbers(&here));
                if here.granted > 0 {
                    grants.push(now);
                    let needed = here.full_after.get().div_ceil(1_000);
                    prop_assert!(
                        u64::try_from(lives_for).is_ok_and(|lives_for| lives_for >= needed),
                        "kept for {} ms, needed for {} ms",
                        lives_for,
                        needed
                    );
                }
            }
            Step::GiveBack(which, tokens) => {
                let Some(at) = grants.iter().rev().nth(which).copied() else {
                    continue;
                };
                let here = state.give_back(&spec, tokens, at, now);
                prop_assert_eq!(remote.give_back(&spec, tokens, at, now).await, here);
            }
        }
    }
    Ok(())
}

/// Policy and reference, as long as the clock goes on and the limit stays.
fn as_defined(spec: WindowSpec, history: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut state, mut now) = (State::new(spec.counting()), T0);
    let mut reference = Reference::default();
    for step in history {
        match step {
            Step::Later(span) => now = now.after(Micros::new(span)),
            Step::Take(batch) => {
                let available = reference.available(&spec, now);
                let fitting = batch.requests.min(available / batch.cost);
                let taken = state.take(&spec, batch, now);
                prop_assert_eq!(taken.granted, fitting * batch.cost);
                prop_assert_eq!(taken.remaining, available - taken.granted);
                reference.0.extend((0..taken.granted).map(|_| now));
                retry_after_is_the_first_instant(&spec, &state, &taken, batch, now)?;
                let full_at = now.after(taken.full_after);
                prop_assert_eq!(reference.available(&spec, full_at), spec.limit());
            }
            Step::GiveBack(which, tokens) => {
                let Some(at) = reference.0.iter().rev().nth(which).copied() else {
                    continue;
                };
                let noted = reference.0.iter().filter(|other| **other == at).count() as u64;
                let tokens = tokens.min(noted);
                let before = reference.available(&spec, now);
                if state.give_back(&spec, tokens, at, now) {
                    for _ in 0..tokens {
                        let place = reference.0.iter().position(|other| *other == at).unwrap();
                        reference.0.remove(place);
                    }
                } else {
                    let mut without = reference.clone();
                    without.0.retain(|other| *other != at);
                    prop_assert_eq!(without.available(&spec, now), before, "it still counted");
                }
            }
            Step::Earlier(_) | Step::Become(..) => {}
        }
    }
    prop_assert!(reference.keeps_the_bound(&spec), "{:?}", reference);
    Ok(())
}

fn retry_after_is_the_first_instant(
    spec: &WindowSpec,
    state: &State,
    taken: &Taken,
    batch: Batch,
    now: StoreTime,
) -> Result<(), TestCaseError> {
    if taken.granted == batch.requests * batch.cost {
        prop_assert_eq!(taken.retry_after, Micros::ZERO);
        return Ok(());
    }
    if batch.cost > spec.limit() {
        return Ok(());
    }
    prop_assert!(taken.retry_after > Micros::ZERO);
    let at = |instant| {
        state
            .clone()
            .take(spec, Batch::one(batch.cost), instant)
            .granted
    };
    let retry_at = now.after(taken.retry_after);
    prop_assert_eq!(at(retry_at), batch.cost);
    prop_assert_eq!(at(retry_at.before(Micros::new(1))), 0);
    Ok(())
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    })
}

const ALL: [Counting; 3] = [Counting::Fixed, Counting::Sliding, Counting::Log];

fn specs(counting: Counting) -> impl Strategy<Value = WindowSpec> {
    let made = move |(limit, window)| WindowSpec::new(counting, limit, window).unwrap();
    (limits(), windows()).prop_map(made)
}

#[test]
fn each_window_admits_what_its_definition_says_and_retry_after_is_its_first_chance() {
    for counting in ALL {
        let histories = (specs(counting), proptest::collection::vec(calm(), 1..60));
        let outcome = runner().run(&histories, |(spec, history)| as_defined(spec, history));
        assert!(outcome.is_ok(), "{counting:?}: {}", outcome.unwrap_err());
    }
}

#[test]
fn what_was_noted_under_a_larger_limit_is_given_back_whole() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let client = redis::Client::open(server.url()).unwrap();
    let connection = runtime
        .block_on(client.get_multiplexed_async_connection())
        .unwrap();
    let one = Batch {
        requests: 1,
        cost: 1,
    };
    for counting in ALL {
        let mut remote = Remote {
            connection: connection.clone(),
            script: script(counting),
            key: format!("smaller:{counting:?}"),
        };
        let spec = WindowSpec::new(counting, 4, Micros::from_millis(56_000)).unwrap();
        let history = vec![
            Step::Take(one),
            Step::Take(one),
            Step::Become(1, Micros::from_millis(56_000)),
            Step::GiveBack(0, 2),
            Step::Take(one),
        ];
        let outcome = runtime.block_on(same_answers(&mut remote, spec, history));
        assert!(outcome.is_ok(), "{counting:?}: {}", outcome.unwrap_err());
    }
}

#[test]
fn the_scripts_of_windows_decide_as_the_policy_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let client = redis::Client::open(server.url()).unwrap();
    let connection = runtime
        .block_on(client.get_multiplexed_async_connection())
        .unwrap();
    for counting in ALL {
        let remote = RefCell::new(Remote {
            connection: connection.clone(),
            script: script(counting),
            key: String::new(),
        });
        let cases = RefCell::new(0);
        let histories = (specs(counting), proptest::collection::vec(wild(), 1..40));
        let outcome = runner().run(&histories, |(spec, history)| {
            *cases.borrow_mut() += 1;
            let mut remote = remote.borrow_mut();
            remote.key = format!("{counting:?}:{}", cases.borrow());
            runtime.block_on(same_answers(&mut remote, spec, history))
        });
        assert!(outcome.is_ok(), "{counting:?}: {}", outcome.unwrap_err());
        assert!(*cases.borrow() > 0);
    }
}

#[tokio::test]
async fn numbers_as_large_as_a_limit_may_be_stay_exact() {
    let server = Server::start().await;
    let client = redis::Client::open(server.url()).unwrap();
    let day = Micros::from_secs(86_400);
    for (counting, limit) in [(Counting::Fixed, 1 << 53), (Counting::Sliding, 104_249_991)] {
        let spec = WindowSpec::new(counting, limit, day).unwrap();
        let mut remote = Remote {
            connection: client.get_multiplexed_async_connection().await.unwrap(),
            script: script(counting),
            key: format!("{counting:?}"),
        };
        let mut state = State::new(counting);
        for (later, cost) in [
            (0, limit - 1),
            (0, 2),
            (0, 1),
            (86_399_999_999, limit - 7),
            (40_000_000_001, 3),
        ] {
            let now = T0.after(Micros::new(later));
            let here = state.take(&spec, Batch::one(cost), now);
            let (there, _) = remote.take(&spec, Batch::one(cost), now).await;
            assert_eq!(there, numbers(&here), "{counting:?} {later} {cost}");
        }
    }
}

#[test]
fn the_reference_sees_what_is_one_too_many() {
    let spec = |counting| WindowSpec::new(counting, 2, Micros::from_secs(10)).unwrap();
    let at = |secs: &[u64]| {
        let start = T0.get() - T0.get() % 10_000_000;
        let times = secs
            .iter()
            .map(|sec| StoreTime::new(start + sec * 1_000_000));
        Reference(times.collect())
    };
    // Around a boundary of the calendar.
    let twice = at(&[8, 9, 10, 11]);
    assert!(twice.keeps_the_bound(&spec(Counting::Fixed)));
    assert!(!twice.keeps_the_bound(&spec(Counting::Log)));
    assert!(!at(&[1, 2, 3]).keeps_the_bound(&spec(Counting::Sliding)));
    assert!(at(&[1, 2, 11, 12]).keeps_the_bound(&spec(Counting::Log)));
}
