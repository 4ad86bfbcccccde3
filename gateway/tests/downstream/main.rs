//! The client's side of the wire: HTTP/2, frame by frame and with a client library; TLS and client certificates; the PROXY
//! protocol; WebSocket over HTTP/2.
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
mod pki;

mod h2;
mod h2_frames;
mod mtls;
mod proxy_protocol;
mod tls;
mod websocket_h2;
