//! What happens between the gateway and its upstreams: TLS, HTTP/2, gRPC, streams, and how long a connection is used.
//!
//! Real sockets on both sides; the upstream tells what it saw.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod grpc;
mod h2;
mod informational;
mod lifetime;
mod pki;
mod server;
mod streaming;
mod tls;

use support::gateway::Gateway;

/// A gateway whose upstream is `url`, with more of its keys below `[upstreams.default]`.
fn gateway(url: &str, keys: &[(&str, &str)]) -> Gateway {
    // What a test breaks on purpose must not keep the next request from being sent.
    gateway_with(url, keys, &[("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "1000")])
}

/// The same, with variables.
fn gateway_with(url: &str, keys: &[(&str, &str)], variables: &[(&str, &str)]) -> Gateway {
    let name = |key: &str| {
        let key = key.to_uppercase().replace('.', "__");
        format!("GATEWAY__UPSTREAMS__DEFAULT__{key}")
    };
    let named: Vec<_> = keys
        .iter()
        .map(|(key, value)| (name(key), *value))
        .collect();
    let named = named.iter().map(|(key, value)| (key.as_str(), *value));
    let more: Vec<_> = named.chain(variables.iter().copied()).collect();
    Gateway::start(url, &more)
}
