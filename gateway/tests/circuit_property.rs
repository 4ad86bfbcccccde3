//! The circuit as `policy` decides it and as the script decides it on a real Redis: the same views of any history.
//!
//! The script takes an explicit time where the gateway sends none.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support {
    pub(crate) mod redis;
}

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use gateway::policy::circuit::{
    Cause, CircuitSpec, Command, Hold, Outcomes, ProbeId, Quorum, RatioSpec, Record, SlowSpec,
    State, View,
};
use gateway::policy::ids::ReplicaId;
use gateway::policy::units::{Micros, StoreTime};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::aio::MultiplexedConnection;
use support::redis::Server;

const CIRCUIT: &str = include_str!("../src/store/redis/circuit.lua");
const T0: StoreTime = StoreTime::new(1_800_000_000_000_000);
const CASES: u32 = 400;

/// What the script returns.
type Answer = (
    [u64; 8],
    (String, String, String, u64),
    (u8, u8, String, String, u64),
);

#[derive(Clone, Debug)]
enum Step {
    View,
    /// Outcomes begun `back` transitions ago, of the probe granted `probe` grants ago, or of whatever fits.
    Report {
        replica: u8,
        outcomes: Outcomes,
        back: usize,
        probe: Option<usize>,
    },
    Admit {
        replica: u8,
        lease: u64,
    },
    Abandon {
        probe: usize,
    },
    Force {
        to: Option<Hold>,
    },
    Later(u64),
    Earlier(u64),
    Become(CircuitSpec),
}

fn specs() -> impl Strategy<Value = CircuitSpec> {
    let span = || prop_oneof![Just(60_000_000_u64), 1..100_u64, 1..10_000_000_u64];
    let quorum = prop_oneof![
        3 => Just(Quorum::Auto),
        2 => (1..4_u32).prop_map(|needed| Quorum::Replicas(NonZeroU32::new(needed).unwrap())),
    ];
    let ratio = (0.01..1.0_f64, 0..12_u32)
        .prop_map(|(threshold, minimum)| RatioSpec { threshold, minimum });
    let slow = (0.01..1.0_f64, 0..12_u32).prop_map(|(threshold, minimum)| SlowSpec {
        duration: Micros::from_secs(1),
        threshold,
        minimum,
    });
    let shares = (proptest::option::of(ratio), proptest::option::of(slow));
    (0..6_u32, span(), span(), 0..4_u32, quorum, shares).prop_map(
        |(failures, window, reset, probes, quorum, (ratio, slow))| CircuitSpec {
            failures,
            window: Micros::new(window),
            reset: Micros::new(reset),
            probes,
            quorum,
            ratio,
            slow,
        },
    )
}

fn spans() -> impl Strategy<Value = u64> {
    prop_oneof![0..3_u64, 0..200_u64, 0..20_000_000_u64, 0..200_000_000_u64]
}

fn steps() -> impl Strategy<Value = Step> {
    let outcomes = prop_oneof![
        4 => Just(Outcomes::FAILURE),
        2 => Just(Outcomes::SUCCESS),
        1 => Just(Outcomes::SLOW),
        1 => (0..4_u32, 0..9_u32, 0..4_u32).prop_map(|(s, f, w)| Outcomes::of(s, f, w.min(s + f))),
    ];
    let back = prop_oneof![8 => Just(0_usize), 1 => 1..4_usize];
    let probe = prop_oneof![9 => Just(None), 1 => (0..3_usize).prop_map(Some)];
    let to = prop_oneof![
        1 => Just(Some(Hold::Open)),
        1 => Just(Some(Hold::Closed)),
        3 => Just(None)
    ];
    prop_oneof![
        1 => Just(Step::View),
        12 => (0..4_u8, outcomes, back, probe).prop_map(|(replica, outcomes, back, probe)| {
            Step::Report { replica, outcomes, back, probe }
        }),
        5 => (0..4_u8, spans()).prop_map(|(replica, lease)| Step::Admit { replica, lease }),
        1 => (0..3_usize).prop_map(|probe| Step::Abandon { probe }),
        1 => to.prop_map(|to| Step::Force { to }),
        5 => spans().prop_map(Step::Later),
        1 => spans().prop_map(Step::Earlier),
        1 => specs().prop_map(Step::Become),
    ]
}

/// What a history has brought forth so far.
#[derive(Default)]
struct Past {
    epochs: Vec<u64>,
    probes: Vec<ProbeId>,
    causes: BTreeSet<&'static str>,
    state: State,
}

impl Past {
    fn epoch(&self, back: usize) -> u64 {
        self.epochs.iter().rev().nth(back).copied().unwrap_or(0)
    }

    fn probe(&self, back: usize) -> Option<ProbeId> {
        self.probes.iter().rev().nth(back).copied()
    }

    fn learn(&mut self, view: &View) {
        if view.moved {
            self.epochs.push(view.epoch);
            self.causes
                .extend(view.last.as_ref().map(|last| last.cause.label()));
        }
        self.probes.extend(view.probe);
        self.state = view.state;
    }
}

fn replica(number: u8) -> ReplicaId {
    format!("replica-{number}").as_str().into()
}

fn command(step: &Step, past: &Past) -> Option<Command> {
    Some(match *step {
        Step::View => Command::View,
        Step::Report {
            replica: by,
            outcomes,
            back,
            probe,
        } => {
            let fitting = (past.state == State::HalfOpen).then_some(0);
            Command::Report {
                epoch: past.epoch(back),
                replica: replica(by),
                outcomes,
                probe: probe.or(fitting).and_then(|back| past.probe(back)),
            }
        }
        Step::Admit { replica: by, lease } => Command::Admit {
            replica: replica(by),
            lease: Micros::new(lease),
        },
        Step::Abandon { probe } => Command::Abandon {
            probe: past.probe(probe)?,
        },
        Step::Force { to } => Command::Force {
            to,
            by: "an \"operator\"".into(),
            reason: "because\n".into(),
        },
        Step::Later(_) | Step::Earlier(_) | Step::Become(_) => return None,
    })
}

struct Remote {
    connection: MultiplexedConnection,
    script: redis::Script,
    key: String,
}

impl Remote {
    async fn apply(&mut self, spec: &CircuitSpec, command: &Command, now: StoreTime) -> Answer {
        let mut call = self.script.key(&self.key);
        let name = match command {
            Command::View => "view",
            Command::Report { .. } => "report",
            Command::Admit { .. } => "admit",
            Command::Abandon { .. } => "abandon",
            Command::Force { .. } => "force",
        };
        call.arg(name).arg("events").arg("upstream");
        call.arg(spec.failures)
            .arg(spec.window.get())
            .arg(spec.reset.get())
            .arg(spec.probes);
        call.arg(match spec.quorum {
            Quorum::Auto => 0,
            Quorum::Replicas(needed) => needed.get(),
        });
        let text = |share: Option<f64>| share.map_or_else(String::new, |share| share.to_string());
        call.arg(text(spec.ratio.map(|ratio| ratio.threshold)));
        call.arg(spec.ratio.map_or(0, |ratio| ratio.minimum));
        call.arg(text(spec.slow.map(|slow| slow.threshold)));
        call.arg(spec.slow.map_or(0, |slow| slow.minimum));
        call.arg(now.get());
        match command {
            Command::View => {}
            Command::Report {
                epoch,
                replica,
                outcomes,
                probe,
            } => {
                call.arg(*epoch).arg(replica.as_str());
                call.arg(outcomes.successes)
                    .arg(outcomes.failures)
                    .arg(outcomes.slow);
                call.arg(probe.map_or(0, ProbeId::get));
            }
            Command::Admit { replica, lease } => {
                call.arg(replica.as_str()).arg(lease.get());
            }
            Command::Abandon { probe } => {
                call.arg(probe.get());
            }
            Command::Force { to, by, reason } => {
                call.arg(to.map_or("", |to| to.state().label()))
                    .arg(&**by)
                    .arg(&**reason);
            }
        }
        call.invoke_async(&mut self.connection).await.unwrap()
    }

    async fn lives_for(&mut self) -> i64 {
        let mut pttl = redis::cmd("PTTL");
        pttl.arg(&self.key)
            .query_async(&mut self.connection)
            .await
            .unwrap()
    }
}

/// A view as the script says it.
fn answer(view: &View) -> Answer {
    let decision = [
        u64::from(view.state.number()),
        view.epoch,
        view.retry_after.get(),
        view.now.get(),
        u64::from(view.failures),
        u64::from(view.stale),
        u64::from(view.moved),
        view.probe.map_or(0, ProbeId::get),
    ];
    let forced = view.forced.as_ref().map(|forced| {
        let to = forced.to.state().label().to_owned();
        (
            to,
            forced.by.to_string(),
            forced.reason.to_string(),
            forced.at.get(),
        )
    });
    let last = view.last.as_ref().map(|last| {
        let cause = last.cause.label().to_owned();
        (
            last.from.number(),
            last.to.number(),
            cause,
            last.by.to_string(),
            last.at.get(),
        )
    });
    (
        decision,
        forced.unwrap_or_default(),
        last.unwrap_or_default(),
    )
}

async fn same_views(
    remote: &mut Remote,
    mut spec: CircuitSpec,
    history: Vec<Step>,
) -> Result<Past, TestCaseError> {
    let (mut record, mut now, mut past) = (Record::default(), T0, Past::default());
    for step in history {
        match &step {
            Step::Later(span) => now = now.after(Micros::new(*span)),
            Step::Earlier(span) => now = now.before(Micros::new(*span)),
            Step::Become(other) => spec = other.clone(),
            _ => {}
        }
        let Some(command) = command(&step, &past) else {
            continue;
        };
        let view = record.apply(&spec, &command, now);
        prop_assert_eq!(
            remote.apply(&spec, &command, now).await,
            answer(&view),
            "{:?}",
            command
        );
        prop_assert!(!view.moved || view.epoch > past.epoch(0));
        prop_assert!(view.retry_after <= spec.reset || view.state != State::Open);
        if view.moved {
            let lives_for = u64::try_from(remote.lives_for().await).unwrap_or(0);
            let kept_for = record.kept_for(&spec).get();
            prop_assert!(lives_for * 1_000 <= kept_for + 1_000);
            prop_assert!(lives_for * 1_000 + 10_000_000 >= kept_for);
        }
        past.learn(&view);
    }
    Ok(past)
}

#[test]
fn the_script_decides_as_the_policy_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let client = redis::Client::open(server.url()).unwrap();
    let connection = runtime
        .block_on(client.get_multiplexed_async_connection())
        .unwrap();
    let remote = std::cell::RefCell::new(Remote {
        connection,
        script: redis::Script::new(CIRCUIT),
        key: String::new(),
    });
    let seen = std::cell::RefCell::new((0_u32, 0_usize, BTreeSet::new()));
    let mut runner = TestRunner::new(Config {
        cases: CASES.max(Config::default().cases),
        failure_persistence: None,
        ..Config::default()
    });
    let histories = (specs(), proptest::collection::vec(steps(), 1..80));
    let outcome = runner.run(&histories, |(spec, history)| {
        let mut seen = seen.borrow_mut();
        let mut remote = remote.borrow_mut();
        seen.0 += 1;
        remote.key = format!("circuit:{}", seen.0);
        let past = runtime.block_on(same_views(&mut remote, spec, history))?;
        seen.1 += past.epochs.len();
        seen.2.extend(past.causes);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    let (cases, transitions, causes) = seen.into_inner();
    assert!(cases >= CASES);
    assert!(
        transitions > 500,
        "the histories go somewhere: {transitions} transitions"
    );
    assert_eq!(
        causes,
        Cause::ALL.map(Cause::label).into(),
        "every transition happened"
    );
}
