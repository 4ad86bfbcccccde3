//! What a gateway does when an upstream fails, stalls or has too much to do: retries, their budget, hedges, timeouts, overload.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod budget;
mod hedge;
mod overload;
mod retry;
mod timeout;
mod upstream;

use support::gateway::Gateway;

/// A file with one upstream and one route that passes everything, and more keys for both.
fn gateway(url: &str, upstream: &str, route: &str) -> Gateway {
    gateway_to(&[url], upstream, route)
}

/// The same with several endpoints. The circuit stays closed unless `upstream` says otherwise.
fn gateway_to(urls: &[&str], upstream: &str, route: &str) -> Gateway {
    let circuit = if upstream.contains("circuit") {
        ""
    } else {
        "circuit = { failures = 1000000 }"
    };
    let text = format!(
        r#"
[upstreams.api]
endpoints = {urls:?}
{circuit}
{upstream}
[[routes]]
name = "api"
path = "/{{*path}}"
upstream = "api"
{route}
"#
    );
    Gateway::from_file("", &text)
}
