//! The client's side of the wire: HTTP/2 in clear, frame by frame and with a client library.
//! `docs/conformance.md` names the rule of each test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "in a test a panic is the verdict; helpers are shared with other binaries"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../raw/wire.rs"]
mod wire;

mod client;
mod frames;

mod h2;
mod h2_frames;
