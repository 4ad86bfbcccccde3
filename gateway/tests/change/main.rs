//! Change without loss: the real binary is given another configuration or another program while clients are using it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod load;

mod activation;
mod fleet;
mod reload;
mod supervisor;
mod upgrade;
mod watch;

use std::path::PathBuf;

use support::client::get;
use support::eventually;
use support::process::Process;

/// A configuration file in a directory of its own; `UPSTREAM` in it stands for the upstream's URL.
struct File {
    _directory: tempfile::TempDir,
    path: PathBuf,
    upstream: String,
}

impl File {
    fn new(upstream: &str, text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = Self {
            path: directory.path().join("gateway.toml"),
            _directory: directory,
            upstream: upstream.to_owned(),
        };
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        let text = format!("[upstreams.default]\nendpoints = [\"UPSTREAM\"]\n{text}");
        std::fs::write(&self.path, text.replace("UPSTREAM", &self.upstream)).unwrap();
    }
}

/// A gateway from `file`, which it reads again only when it is told to.
async fn gateway(file: &File, more: &[(&str, &str)]) -> Process {
    let path = file.path.to_str().unwrap();
    let own = [
        ("GATEWAY_CONFIG", path),
        ("GATEWAY__SERVER__WATCH_CONFIG", "false"),
        ("GATEWAY__SERVER__WORKERS", "2"),
    ];
    let more: Vec<_> = own.iter().chain(more).copied().collect();
    Process::start_bare(&more).await
}

/// The value of a sample on the admin listener; 0 where there is none.
async fn metric(gateway: &Process, sample: &str) -> f64 {
    let exposition = get(gateway.admin, "/metrics").await;
    let text = String::from_utf8(exposition.body.to_vec()).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().unwrap())
}

const SUCCESSES: &str = "gateway_config_reloads_total{result=\"success\"}";
const FAILURES: &str = "gateway_config_reloads_total{result=\"failure\"}";

/// Has `gateway` read its configuration again and waits until one more of `sample` is counted.
async fn reload(gateway: &Process, sample: &str) {
    let before = metric(gateway, sample).await;
    gateway.signal("HUP");
    eventually(sample, || async { metric(gateway, sample).await > before }).await;
}
