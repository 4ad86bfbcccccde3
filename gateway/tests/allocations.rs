//! How often a request makes the allocator work: an upper bound, so that a change that adds to it is noticed.
//!
//! Client and upstream are threads of this process that allocate nothing while they talk, so what is counted is the gateway's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::gateway::Gateway;
use support::wire::{Wire, upstream};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WARM_UP: usize = 200;
const COUNTED: usize = 500;
const ROUNDS: usize = 6;

/// Allocations of one request in the steady state: the mean of many, in the best of several rounds, because what else the process does
/// in that time only adds to it.
fn allocations(more: &[(&str, &str)], status: &[u8]) -> f64 {
    let gateway = Gateway::start(&format!("http://{}", upstream()), more);
    let mut wire = Wire::connect(gateway.proxy());
    wire.ask(b"200");
    for _ in 0..WARM_UP {
        wire.ask(status);
    }
    let rounds = (0..ROUNDS).map(|_| {
        let region = Region::new(ALLOCATOR);
        for _ in 0..COUNTED {
            wire.ask(status);
        }
        let change = region.change();
        (change.allocations + change.reallocations) as f64 / COUNTED as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// One test, because the count is of the whole process.
#[test]
fn a_request_stays_within_its_allocations() {
    let plenty = [("RATE_LIMIT_CAPACITY", "1000000")];
    // Refilled so slowly that a bucket of one token stays empty, however long a slow machine takes.
    let none = [
        ("RATE_LIMIT_CAPACITY", "1"),
        ("RATE_LIMIT_REFILL_RATE", "1"),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "3600"),
    ];
    let forwarded = allocations(&plenty, b"200");
    let refused = allocations(&none, b"429");
    // What they are for: docs/performance.md. The part of one is what the rest of the process does meanwhile.
    assert!(forwarded <= 8.0, "forwarded: {forwarded}");
    assert!(refused <= 14.0, "refused: {refused}");
    eprintln!("allocations a request: forwarded {forwarded:.2}, refused {refused:.2}");
}
