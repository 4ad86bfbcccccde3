//! What a route does with a request and its answer, from the outside: a real gateway from a file, real sockets on both sides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod origin;

mod answers;
mod compression;
mod cors;
mod headers;
mod matching;
mod mirror;
mod paths;
mod redirect;
mod split;

use support::client::{Answer, request, send};
use support::gateway::Gateway;

/// What every file here begins with; the tests add routes.
const UPSTREAM: &str = "[upstreams.default]\nendpoints = [\"UPSTREAM\"]\n";

/// A gateway with these routes to `upstream`.
fn gateway(upstream: &str, routes: &str) -> Gateway {
    Gateway::from_file(upstream, &format!("{UPSTREAM}{routes}"))
}

/// One GET with headers.
async fn get(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(gateway.proxy(), request(http::Method::GET, path, headers)).await
}
