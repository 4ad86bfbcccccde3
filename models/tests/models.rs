//! The models in the sizes of every test run, and the proof that each promise can be found broken.

#![allow(clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

use models::circuit::{self, Circuit};
use models::explore::{Outcome, explore};
use models::lease::{self, Lease};
use models::suite::{Size, broken_circuits, broken_leases, circuits, leases};

const THREADS: usize = 1;

fn lease(rules: lease::Rules) -> Outcome {
    explore(Lease::new(rules).expect("a possible bucket"), THREADS)
}

fn assert_holds(name: &str, outcome: &Outcome) {
    if let Some(broken) = &outcome.broken {
        panic!("{name}: {} is broken:\n{}", broken.promise, broken.steps);
    }
    assert!(outcome.states > 100, "{name}: hardly anything happened");
}

fn assert_broken(promise: &str, name: &str, outcome: &Outcome) {
    let broken = outcome.broken.as_ref();
    let found = broken.map(|broken| broken.promise);
    assert_eq!(found, Some(promise), "{name}, {} states", outcome.states);
}

#[test]
fn the_lease_protocol_keeps_its_promise() {
    for (name, rules) in leases(Size::Smoke) {
        assert_holds(name, &lease(rules));
    }
}

#[test]
fn a_broken_lease_protocol_is_found_out() {
    for rules in broken_leases(Size::Smoke) {
        let name = format!("{:?}", rules.flaw);
        assert_broken(lease::BOUND, &name, &lease(rules));
    }
}

#[test]
fn requests_of_several_tokens_are_not_covered() {
    let outcome = lease(lease::Rules {
        cost: 2,
        batch: 1,
        ..lease::Rules::small()
    });
    assert_broken(lease::BOUND, "cost 2", &outcome);
}

#[test]
fn the_circuit_protocol_keeps_its_promises() {
    for (name, rules) in circuits(Size::Smoke) {
        assert_holds(name, &explore(Circuit::new(rules), THREADS));
    }
}

#[test]
fn a_broken_circuit_protocol_is_found_out() {
    for (rules, promise) in broken_circuits() {
        let name = format!("{:?}", rules.flaw);
        let outcome = explore(Circuit::new(rules), THREADS);
        assert_broken(promise, &name, &outcome);
    }
}

#[test]
fn a_lease_shorter_than_a_probe_takes_keeps_the_circuit_open() {
    let outcome = explore(
        Circuit::new(circuit::Rules {
            replicas: 1,
            lease: 1,
            recovery: 20,
            ..circuit::Rules::small()
        }),
        THREADS,
    );
    assert_broken(circuit::NEVER_STUCK, "a short lease", &outcome);
}

#[test]
fn the_epoch_of_a_circuit_that_never_moved_comes_back_when_the_record_is_lost() {
    let outcome = explore(
        Circuit::new(circuit::Rules {
            losses: 1,
            even_unmoved: true,
            events: false,
            recovers: false,
            ..circuit::Rules::small()
        }),
        THREADS,
    );
    assert_broken(circuit::NO_STALE_EPOCH, "epoch 0", &outcome);
}
