//! Gateway processes that share one Redis and one upstream.
//!
//! Guarantees: each is the given binary with one worker, listening on loopback; all are killed when dropped. Must not: leave a pipe
//! unread: a gateway never waits for the reader of its log, but it would count lost lines.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Failure;
use crate::http::{Connection, get};
use crate::redis::Redis;
use crate::upstream::Upstream;

const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway process.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// What all of them share, and they themselves.
pub(crate) struct Fleet {
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) redis: Redis,
    pub(crate) upstream: Upstream,
}

/// How a fleet differs from the defaults.
pub(crate) struct Wanted<'a> {
    pub(crate) replicas: usize,
    /// Whether to wait until each replica knows of all: not without heartbeats.
    pub(crate) meets: bool,
    /// Whether the upstream records what it is asked.
    pub(crate) recording: bool,
    pub(crate) variables: &'a [(&'a str, &'a str)],
}

impl Fleet {
    /// Starts everything.
    pub(crate) async fn start(binary: &Path, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        let upstream = Upstream::start(wanted.recording)?;
        let redis = Redis::start().await?;
        let mut gateways = Vec::new();
        for _ in 0..wanted.replicas {
            gateways.push(Gateway::start(binary, &redis, &upstream, wanted.variables)?);
        }
        let fleet = Self {
            gateways,
            redis,
            upstream,
        };
        let wanted_line = format!("gateway_replicas {}", wanted.replicas);
        for gateway in &fleet.gateways {
            if wanted.meets {
                gateway.exposes(&wanted_line).await?;
            }
        }
        Ok(fleet)
    }

    /// The sum of a metric's sample over all replicas, by the exact text of its name and labels.
    pub(crate) async fn sum(&self, sample: &str) -> Result<f64, Failure> {
        let mut sum = 0.0;
        for gateway in &self.gateways {
            let metrics = get(gateway.admin, "/metrics").await?;
            let value = |line: &str| line.strip_prefix(sample)?.trim().parse::<f64>().ok();
            sum += metrics.lines().find_map(value).unwrap_or_default();
        }
        Ok(sum)
    }

    /// `each` connections to every replica.
    pub(crate) async fn connections(&self, each: usize) -> Result<Vec<Connection>, Failure> {
        let mut connections = Vec::new();
        for gateway in &self.gateways {
            for _ in 0..each {
                connections.push(Connection::open(gateway.proxy).await?);
            }
        }
        Ok(connections)
    }
}

impl Gateway {
    /// Starts one.
    pub(crate) fn start(
        binary: &Path,
        redis: &Redis,
        upstream: &Upstream,
        more: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let mut child = Command::new(binary)
            .env_clear()
            .env("GATEWAY__SERVER__LISTEN", "127.0.0.1:0")
            .env("GATEWAY__SERVER__WORKERS", "1")
            .env("GATEWAY__SERVER__TRUSTED_PROXIES", "127.0.0.0/8")
            .env("GATEWAY__ADMIN__LISTEN", "127.0.0.1:0")
            .env("GATEWAY__LOG__ACCESS", "false")
            .env("LOG_FORMAT", "json")
            .env("UPSTREAM_URL", upstream.url())
            .env("REDIS_URL", redis.url())
            .envs(more.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::system(
                "the gateway's binary (cargo build --release -p gateway)",
            ))?;
        let (found, finding) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || read_log(output, &found));
        }
        match finding.recv_timeout(PATIENCE) {
            Ok((proxy, admin)) => Ok(Self {
                child,
                proxy,
                admin,
            }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(Failure::Never("a gateway starts"))
            }
        }
    }

    /// Asks it to stop, as an orchestrator does; it may still finish what it has begun.
    pub(crate) fn ask_to_stop(&self) -> Result<(), Failure> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        sent.map(drop).map_err(Failure::system("kill"))
    }

    /// Ends it with SIGKILL, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(drop).map_err(Failure::system("a gateway"))
    }

    /// Waits until it has ended by itself; whether it ended well.
    pub(crate) async fn ended(&mut self) -> Result<bool, Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let ended = self
                .child
                .try_wait()
                .map_err(Failure::system("a gateway"))?;
            if let Some(status) = ended {
                return Ok(status.success());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Failure::Never("a gateway that was asked to stop ends"))
    }

    /// The most memory it has ever had, in KiB.
    pub(crate) fn peak_memory(&self) -> Result<u64, Failure> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).map_err(Failure::system("/proc"))?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
        peak.and_then(|kib| kib.parse().ok())
            .ok_or(Failure::Never("the kernel says what a gateway takes"))
    }

    /// Waits until its metrics hold this line.
    pub(crate) async fn exposes(&self, line: &str) -> Result<(), Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let metrics = get(self.admin, "/metrics").await?;
            if metrics.lines().any(|found| found == line) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::Never("every replica knows of every other"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a gateway's log to its end; tells where it listens.
fn read_log(output: ChildStdout, found: &Sender<(SocketAddr, SocketAddr)>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let (Some(proxy), Some(admin)) = (address(&line, "proxy"), address(&line, "admin")) {
            let _ = found.send((proxy, admin));
        }
    }
}

/// The address under `key` in a line of JSON.
fn address(line: &str, key: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()?.parse().ok()
}
