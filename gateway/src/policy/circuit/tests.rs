//! What the circuit promises, one command at a time. Must not: need a clock or a store.

use super::*;
use crate::policy::ids::ReplicaId;
use crate::policy::units::StoreTime;

const T0: StoreTime = StoreTime::new(1_700_000_000_000_000);
const LEASE: Micros = Micros::from_secs(2);

fn spec() -> CircuitSpec {
    CircuitSpec {
        failures: 3,
        window: Micros::from_secs(60),
        reset: Micros::from_secs(10),
        probes: 1,
        quorum: Quorum::Auto,
        ratio: None,
        slow: None,
    }
}

/// A record, its specification and a clock.
struct World {
    record: Record,
    spec: CircuitSpec,
    now: StoreTime,
}

impl World {
    fn new(spec: CircuitSpec) -> Self {
        Self {
            record: Record::default(),
            spec,
            now: T0,
        }
    }

    fn later(&mut self, span: Micros) -> &mut Self {
        self.now = self.now.after(span);
        self
    }

    fn apply(&mut self, command: &Command) -> View {
        self.record.apply(&self.spec, command, self.now)
    }

    fn view(&mut self) -> View {
        self.apply(&Command::View)
    }

    fn report_as(&mut self, replica: &str, outcomes: Outcomes) -> View {
        let epoch = self.view().epoch;
        self.report(replica, epoch, outcomes, None)
    }

    fn report(
        &mut self,
        replica: &str,
        epoch: u64,
        outcomes: Outcomes,
        probe: Option<ProbeId>,
    ) -> View {
        self.apply(&Command::Report {
            epoch,
            replica: replica.into(),
            outcomes,
            probe,
        })
    }

    fn admit(&mut self, replica: &str) -> View {
        self.apply(&Command::Admit {
            replica: ReplicaId::from(replica),
            lease: LEASE,
        })
    }

    fn force(&mut self, to: Option<Hold>) -> View {
        self.apply(&Command::Force {
            to,
            by: "ops".into(),
            reason: "drill".into(),
        })
    }

    /// Opened by one replica that is alone.
    fn open(spec: CircuitSpec) -> Self {
        let mut world = Self::new(spec);
        let failures = world.spec.failures;
        let view = world.report_as("a", Outcomes::of(0, failures, 0));
        assert_eq!(view.state, State::Open);
        world
    }
}

#[test]
fn a_lonely_replica_opens_it_and_a_probe_closes_it() {
    let mut world = World::new(spec());
    world.report_as("a", Outcomes::FAILURE);
    assert!(world.report_as("a", Outcomes::FAILURE).is_failing());
    let opened = world.report_as("a", Outcomes::FAILURE);
    let change = opened.transition().unwrap();
    assert_eq!((change.from, change.to), (State::Closed, State::Open));
    assert_eq!((change.cause, &*change.by), (Cause::Failures, "a"));
    assert_eq!(opened.retry_after, Micros::from_secs(10));
    let early = world.later(Micros::from_secs(9)).admit("b");
    assert_eq!((early.state, early.probe), (State::Open, None));
    let granted = world.later(Micros::from_secs(1)).admit("b");
    assert_eq!(granted.state, State::HalfOpen);
    let other = world.admit("c");
    assert_eq!((other.probe, other.retry_after), (None, LEASE));
    let closed = world.report("b", granted.epoch, Outcomes::SUCCESS, granted.probe);
    assert_eq!((closed.state, closed.failures), (State::Closed, 0));
    assert!(opened.epoch < granted.epoch && granted.epoch < closed.epoch);
}

#[test]
fn failures_count_in_a_row_and_within_the_window() {
    let mut world = World::new(spec());
    world.report_as("a", Outcomes::of(0, 2, 0));
    assert!(!world.report_as("a", Outcomes::SUCCESS).is_failing());
    world.report_as("a", Outcomes::of(0, 2, 0));
    world.later(Micros::new(60_000_001));
    assert_eq!(world.report_as("a", Outcomes::FAILURE).failures, 1);
    world.later(Micros::from_secs(60));
    assert_eq!(world.report_as("a", Outcomes::FAILURE).failures, 2);
}

#[test]
fn a_contradicted_replica_does_not_open_it_alone() {
    let mut world = World::new(spec());
    world.report_as("sick", Outcomes::FAILURE);
    world.report_as("well", Outcomes::SUCCESS);
    for _ in 0..100 {
        assert_eq!(
            world.report_as("sick", Outcomes::FAILURE).state,
            State::Closed
        );
    }
    assert_eq!(
        world.report_as("other", Outcomes::FAILURE).state,
        State::Open
    );
}

#[test]
fn a_contradiction_is_forgotten_after_the_window() {
    let mut world = World::new(spec());
    world.report_as("gone", Outcomes::SUCCESS);
    world.later(Micros::new(60_000_001));
    assert_eq!(
        world.report_as("a", Outcomes::of(0, 3, 0)).state,
        State::Open
    );
}

#[test]
fn a_configured_quorum_is_exact() {
    let mut world = World::new(CircuitSpec {
        quorum: Quorum::Replicas(NonZeroU32::new(3).unwrap()),
        ..spec()
    });
    for replica in ["a", "b", "a", "b", "a", "b"] {
        assert_eq!(
            world.report_as(replica, Outcomes::FAILURE).state,
            State::Closed
        );
    }
    assert_eq!(world.report_as("c", Outcomes::FAILURE).state, State::Open);
}

#[test]
fn a_failed_probe_opens_it_again() {
    let mut world = World::open(spec());
    let granted = world.later(Micros::from_secs(10)).admit("a");
    let opened = world.report("a", granted.epoch, Outcomes::FAILURE, granted.probe);
    assert_eq!(opened.state, State::Open);
    assert_eq!(opened.retry_after, Micros::from_secs(10));
    assert!(opened.epoch > granted.epoch);
}

#[test]
fn a_lease_that_ended_goes_to_another_and_its_first_holder_is_not_heard() {
    let mut world = World::open(spec());
    let dead = world.later(Micros::from_secs(10)).admit("dead");
    let heir = world.later(LEASE).admit("heir");
    assert!(heir.probe.is_some() && heir.probe != dead.probe);
    let late = world.report("dead", dead.epoch, Outcomes::FAILURE, dead.probe);
    assert!(late.stale && late.state == State::HalfOpen);
    assert!(
        world
            .report("heir", heir.epoch, Outcomes::SUCCESS, heir.probe)
            .moved
    );
}

#[test]
fn a_probe_given_up_is_free_at_once() {
    let mut world = World::open(spec());
    let granted = world.later(Micros::from_secs(10)).admit("a");
    let probe = granted.probe.unwrap();
    assert!(!world.apply(&Command::Abandon { probe }).stale);
    assert!(world.apply(&Command::Abandon { probe }).stale);
    assert!(world.admit("b").probe.is_some());
}

#[test]
fn as_many_probes_go_out_as_are_needed() {
    let mut world = World::open(CircuitSpec {
        probes: 2,
        ..spec()
    });
    let one = world.later(Micros::from_secs(10)).admit("a");
    let two = world.admit("b");
    assert!(one.probe.is_some() && two.probe.is_some());
    assert!(world.admit("c").probe.is_none());
    assert!(
        !world
            .report("a", one.epoch, Outcomes::SUCCESS, one.probe)
            .moved
    );
    assert!(world.admit("c").probe.is_none());
    assert_eq!(
        world
            .report("b", two.epoch, Outcomes::SUCCESS, two.probe)
            .state,
        State::Closed
    );
}

#[test]
fn outcomes_of_another_epoch_change_nothing() {
    let mut world = World::new(spec());
    let before = world.view().epoch;
    world.report_as("a", Outcomes::of(0, 3, 0));
    assert!(world.report("a", before, Outcomes::FAILURE, None).stale);
    let granted = world.later(Micros::from_secs(10)).admit("a");
    world.report("a", granted.epoch, Outcomes::SUCCESS, granted.probe);
    let late = world.report("b", before, Outcomes::of(0, 9, 0), None);
    assert_eq!(
        (late.stale, late.state, late.failures),
        (true, State::Closed, 0)
    );
}

#[test]
fn an_operator_holds_it_until_it_is_given_back() {
    let mut world = World::new(spec());
    let open = world.force(Some(Hold::Open));
    assert_eq!((open.state, open.retry_after), (State::Open, spec().reset));
    assert_eq!(&*open.forced.unwrap().reason, "drill");
    assert!(
        world
            .later(Micros::from_secs(86_400))
            .admit("a")
            .probe
            .is_none()
    );
    let closed = world.force(Some(Hold::Closed));
    let counted = world.report_as("a", Outcomes::of(0, 99, 0));
    assert_eq!((counted.state, counted.failures), (State::Closed, 0));
    let reset = world.force(None);
    assert!(open.epoch < closed.epoch && closed.epoch < reset.epoch);
    assert_eq!(
        world.report_as("a", Outcomes::of(0, 3, 0)).state,
        State::Open
    );
}

#[test]
fn a_share_of_failures_opens_it() {
    let mut world = World::new(CircuitSpec {
        failures: 1_000,
        ratio: Some(RatioSpec {
            threshold: 0.5,
            minimum: 10,
        }),
        ..spec()
    });
    world.report_as("a", Outcomes::of(5, 4, 0));
    world.later(Micros::from_secs(66));
    assert!(!world.report_as("a", Outcomes::of(4, 4, 0)).moved);
    let opened = world.report_as("a", Outcomes::of(1, 1, 0));
    assert_eq!(
        opened.transition().map(|last| last.cause),
        Some(Cause::Ratio)
    );
}

#[test]
fn a_share_of_slow_calls_opens_it_and_a_slow_probe_does_not_close_it() {
    let mut world = World::new(CircuitSpec {
        slow: Some(SlowSpec {
            duration: Micros::from_secs(1),
            threshold: 0.8,
            minimum: 5,
        }),
        ..spec()
    });
    let opened = world.report_as("a", Outcomes::of(5, 0, 4));
    assert_eq!(
        opened.transition().map(|last| last.cause),
        Some(Cause::Slow)
    );
    let granted = world.later(Micros::from_secs(10)).admit("a");
    let judged = world.report("a", granted.epoch, Outcomes::SLOW, granted.probe);
    assert_eq!(judged.state, State::Open);
}

#[test]
fn a_clock_that_steps_back_holds_nothing_up_longer_than_it_may_take() {
    let mut world = World::open(spec());
    world.now = T0.before(Micros::from_secs(86_400));
    assert_eq!(world.view().retry_after, spec().reset);
    world.later(Micros::from_secs(4));
    assert_eq!(world.view().retry_after, Micros::from_secs(6));
    let granted = world.later(Micros::from_secs(6)).admit("a");
    assert!(granted.probe.is_some());
    world.now = world.now.before(Micros::from_secs(86_400));
    assert_eq!(world.view().epoch, granted.epoch);
    assert!(world.later(LEASE).admit("b").probe.is_some());
}

#[test]
fn a_lost_record_does_not_bring_an_epoch_back() {
    let mut world = World::open(spec());
    let before = world.view().epoch;
    world.record = Record::default();
    assert_eq!((world.view().epoch, world.view().state), (0, State::Closed));
    assert!(world.report("a", before, Outcomes::FAILURE, None).stale);
    world.later(Micros::new(1));
    assert!(world.report_as("a", Outcomes::of(0, 3, 0)).epoch > before);
}
