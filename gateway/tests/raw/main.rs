//! The wire, byte by byte: what was sent to the gateway, what its upstream received, what came back. The upstream here is no HTTP
//! server but a recorder that says what the test wrote down, right or wrong. `docs/conformance.md` names the rule of each test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod wire;

mod accepted;
mod bodies;
mod connections;
mod drain;
mod forwarded;
mod refused;
mod responses;
mod upgrades;
