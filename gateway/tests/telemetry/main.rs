//! What a gateway tells of each request: spans to a collector, lines to its log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod access;
mod collector;
mod propagation;
#[path = "../support/mod.rs"]
mod support;
mod traces;
