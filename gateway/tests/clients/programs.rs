//! Clients that are no part of a system: h2load, Python's `websockets` and `grpcio`, a browser. `make test-clients` installs and runs them.

use std::process::Stdio;

use tokio::process::Command;
use upstream_mock::{Mock, Settings};

use crate::support::process::Process;

/// The upstream speaks HTTP/2 in clear, as gRPC needs; `/limited.` takes one call, and then is told to come back.
const GRPC: &str = r#"
[upstreams.default]
endpoints = ["UPSTREAM"]
[limits.one]
capacity = 1
refill = "1/1h"
[[routes]]
name = "limited"
path = "/limited.Service/{*path}"
upstream = "default"
limits = ["one"]
[[routes]]
name = "all"
path = "/{*path}"
upstream = "default"
"#;

/// Runs a program, which must end well; what it said.
async fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{program}: {error}; `make test-clients` installs it"));
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    println!("{said}");
    said
}

fn python() -> String {
    std::env::var("CLIENTS_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn script(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
#[ignore = "needs h2load: make test-clients"]
async fn h2load_sees_no_request_fail() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Process::start(&mock.url(), &[("RATE_LIMIT_CAPACITY", "1000000")]).await;
    let url = format!("http://{}/proxy/ok", gateway.proxy);
    for version in [&["--h1"][..], &["-m", "32"]] {
        let arguments = [version, &["-n", "20000", "-c", "20", &url]].concat();
        let said = run("h2load", &arguments).await;
        assert!(
            said.contains("20000 succeeded, 0 failed, 0 errored, 0 timeout"),
            "{said}"
        );
        assert!(said.contains("status codes: 20000 2xx"), "{said}");
    }
}

#[tokio::test]
#[ignore = "needs Python's websockets: make test-clients"]
async fn websockets_of_python_agrees() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Process::start(&mock.url(), &[]).await;
    let url = format!("ws://{}/proxy/ws", gateway.proxy);
    run(&python(), &[&script("websocket_client.py"), &url]).await;
}

#[tokio::test]
#[ignore = "needs Python's grpcio: make test-clients"]
async fn grpcio_of_python_agrees() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(
        file.path(),
        GRPC.replace("UPSTREAM", &mock.url().replace("http:", "h2c:")),
    )
    .unwrap();
    let name = file.path().display().to_string();
    let more = [("GATEWAY_CONFIG", &name[..])];
    let gateway = Process::start_bare(&more).await;
    let address = gateway.proxy.to_string();
    run(&python(), &[&script("grpc_client.py"), &address]).await;
}

#[tokio::test]
#[ignore = "needs Chromium: make test-clients"]
async fn a_browsers_event_source_hears_every_event_and_comes_back() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Process::start(&mock.url(), &[]).await;
    let url = format!("http://{}", gateway.proxy);
    run("node", &[&script("events.mjs"), &url]).await;
}
