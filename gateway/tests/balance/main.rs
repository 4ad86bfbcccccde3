//! Which endpoint a request goes to, seen from the endpoints: real mocks, real sockets, a real DNS server of the test's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod dns;
mod health;
mod names;
mod shares;

use std::net::SocketAddr;

use support::client::{Answer, request, send};
use support::gateway::Gateway;
use upstream_mock::{Mock, Settings};

/// Mocks on free ports.
async fn mocks(count: usize) -> Vec<Mock> {
    let mut mocks = Vec::new();
    for _ in 0..count {
        mocks.push(Mock::start(Settings::default()).await.unwrap());
    }
    mocks
}

/// How many requests reached each, checks apart.
fn counts(mocks: &[Mock]) -> Vec<u64> {
    let served = |mock: &Mock| mock.recorder().count_path("/ok");
    mocks.iter().map(served).collect()
}

/// A gateway in front of `mocks`, whose circuit stays out of it; `more` are keys of the upstream.
fn gateway(mocks: &[Mock], more: &str) -> Gateway {
    let urls: Vec<String> = mocks
        .iter()
        .map(|mock| format!("{:?}", mock.url()))
        .collect();
    file(&format!("endpoints = [{}]\n{more}", urls.join(", ")))
}

/// A gateway with one upstream of these keys.
fn file(upstream: &str) -> Gateway {
    let text = format!(
        r#"
        [upstreams.default]
        circuit = {{ failures = 100000 }}
        {upstream}
        [[routes]]
        name = "all"
        path = "/{{*path}}"
        rewrite = "/{{path}}"
        upstream = "default"
        "#
    );
    Gateway::from_file("", &text)
}

async fn ask(gateway: &Gateway, headers: &[(&str, &str)]) -> Answer {
    let request = request(http::Method::GET, "/ok", headers);
    send(gateway.proxy(), request).await
}

/// Asks so many times; how many were answered with 200.
async fn ask_often(gateway: &Gateway, times: usize) -> usize {
    let mut client = support::client::Client::connect(gateway.proxy()).await;
    let mut good = 0;
    for _ in 0..times {
        good += usize::from(client.get("/ok").await.status == 200);
    }
    good
}

/// What the admin API says of the endpoint at `address`.
async fn member(gateway: &Gateway, address: SocketAddr) -> serde_json::Value {
    let host = gateway.admin().to_string();
    let question = request(http::Method::GET, "/api/v1/upstreams", &[("host", &host)]);
    let upstreams = send(gateway.admin(), question).await;
    let url = format!("http://{address}");
    // Nothing until the first report is made.
    let members = upstreams.json()[0]["members"].clone();
    let members = members.as_array().into_iter().flatten();
    let mut found = members.filter(|one| one["url"] == url.as_str());
    found.next().cloned().unwrap_or_default()
}

/// The sample of a family for the endpoint at `address`.
fn sample(family: &str, address: SocketAddr) -> String {
    format!("gateway_upstream_endpoint_{family}{{upstream=\"default\",endpoint=\"{address}\"}}")
}
