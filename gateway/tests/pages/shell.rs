//! A shell beside a gateway: the addresses of the pages lead to this test's own gateway, Redis and upstream.
//!
//! Guarantees: nothing it starts outlives it. Must not: listen on the ports that the pages name.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use upstream_mock::{Mock, Settings};

use super::root;
use super::support::PATIENCE;
use super::support::process::Process;
use super::support::redis::Server;

/// The replica of the pages.
const REPLICA: &str = "edge-2-9f0c11aa";

pub(crate) struct World {
    redis: Server,
    upstream: Mock,
    /// Programs by the names that the pages use.
    programs: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let redis = Server::start().await;
        let upstream = Mock::start(Settings::default()).await.expect("an upstream");
        let programs = TempDir::new().expect("a folder");
        let redis_cli = format!("exec redis-cli -p {}", redis.port());
        write(programs.path(), "redis-cli", &with_path(&redis_cli));
        // An order or a question that the API refuses is a mistake of the page.
        let curl = "case \"$*\" in */api/v1*) set -- --fail-with-body \"$@\" ;; esac\nexec curl --max-time 15";
        write(programs.path(), "curl", &with_path(curl));
        write(
            programs.path(),
            "gateway",
            &with_path(concat!("exec ", env!("CARGO_BIN_EXE_gateway"))),
        );
        Self {
            redis,
            upstream,
            programs,
        }
    }

    fn path(&self) -> String {
        let own = self.programs.path().display();
        format!("{own}:{}", std::env::var("PATH").unwrap_or_default())
    }

    /// `command` with this world's addresses of Redis and the upstream.
    fn placed(&self, command: &str) -> String {
        let redis = format!("127.0.0.1:{}", self.redis.port());
        command
            .replace("127.0.0.1:6379", &redis)
            .replace("http://127.0.0.1:8080", &self.upstream.url())
            .replace("http://127.0.0.1:5001", &self.upstream.url())
            .replace("target/release/gateway", "gateway")
    }

    /// Runs a session beside a gateway of its own; the error is what went wrong.
    pub(crate) async fn run(&self, script: &str) -> Result<(), String> {
        let url = self.redis.url();
        let more = [
            // What the pages purge by hand has to be kept by some route.
            (
                "GATEWAY__ROUTES__PROXY__CACHE",
                "{ ttl = \"1m\", tags = [\"summary\"] }",
            ),
            ("REDIS_URL", url.as_str()),
            ("GATEWAY__STORE__TIMEOUT", "5s"),
            ("RATE_LIMIT_CAPACITY", "1000"),
        ];
        let gateway = Process::start(&self.upstream.url(), &more).await;
        let (proxy, admin) = (gateway.proxy.to_string(), gateway.admin.to_string());
        let replica = gateway.event("started").await["replica"].to_string();
        let mut script = self
            .placed(script)
            .replace(REPLICA, replica.trim_matches('"'));
        for host in ["127.0.0.1", "localhost"] {
            script = script
                .replace(&format!("{host}:5000"), &proxy)
                .replace(&format!("{host}:9900"), &admin);
        }
        let session = Command::new("bash")
            .args(["-Eeo", "pipefail", "-c"])
            .arg(format!(
                "trap 'echo \"at: $BASH_COMMAND\" >&2' ERR\n{script}"
            ))
            .current_dir(root())
            .env("PATH", self.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(3 * PATIENCE, session).await;
        let output = output.map_err(|_| format!("never ended:\n{script}"))?;
        let output = output.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Err(format!(
            "{}\n{}\n{}",
            output.status,
            said(&output.stderr),
            said(&output.stdout)
        ))
    }

    /// Runs a command that is a gateway until it listens.
    pub(crate) async fn starts(&self, command: &str) -> Result<(), String> {
        let mut child = Command::new("bash")
            .args(["-c", &format!("exec env {}", self.placed(command))])
            .current_dir(root())
            .env("PATH", self.path())
            .env("GATEWAY__SERVER__LISTEN", "127.0.0.1:0")
            .env("GATEWAY__ADMIN__LISTEN", "127.0.0.1:0")
            .env("LOG_FORMAT", "json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let listens = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("\"event\":\"started\"") {
                    return true;
                }
            }
            false
        };
        let started = tokio::time::timeout(PATIENCE, listens).await;
        (started == Ok(true))
            .then_some(())
            .ok_or_else(|| format!("does not start: {command}"))
    }
}

/// A program that finds the real one by the path without this folder.
fn with_path(body: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("#!/bin/bash\nPATH='{path}'\n{body} \"$@\"\n")
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a program");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}
