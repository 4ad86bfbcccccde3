//! The files under `examples/`, each played as its own comment tells it: the real binary, from the folder above, beside a mock; on a real
//! Redis and on the embedded store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod analytics;
mod callers;
mod gateways;
mod stage;
#[path = "../support/mod.rs"]
mod support;
