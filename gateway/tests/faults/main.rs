//! What goes wrong under load, with real gateway processes and a real Redis: whatever it is, nothing is answered 5xx for the store's
//! sake, and no more is admitted than the promise says for that fault (`docs/guarantees.md`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod channel;
mod load;
mod loss;
mod replica;
mod topologies;
