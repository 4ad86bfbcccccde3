//! Real clients against the real program: curl, a WebSocket of many messages, clients that are slow on purpose; and, where
//! `make test-clients` installed them (`programs`), h2load, Python's `websockets` and `grpcio`, and a browser's EventSource.
//!
//! `GATEWAY_TEST_FULL=1` makes it the whole measure: a GiB each way, 10^6 messages, 1,000 slow clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    reason = "in a test a panic is the verdict; helpers are shared with other binaries"
)]

#[path = "../downstream/pki.rs"]
mod pki;
#[path = "../support/mod.rs"]
mod support;

mod curl;
mod programs;
mod slow;
mod volume;
mod websocket;

/// `full` when everything is asked for, else `quick`, which every test run can afford.
fn measure(quick: u64, full: u64) -> u64 {
    if std::env::var_os("GATEWAY_TEST_FULL").is_some() {
        full
    } else {
        quick
    }
}
