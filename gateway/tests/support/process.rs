//! Gateways as the processes they are in production: the real binary, its environment, its signals, its standard output.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::gateway::variables;
use super::{PATIENCE, eventually};

/// A gateway process, killed when it is dropped.
pub struct Process {
    child: Child,
    pub proxy: SocketAddr,
    pub admin: SocketAddr,
    lines: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Process {
    /// Starts one and waits until it listens.
    pub async fn start(upstream: &str, more: &[(&str, &str)]) -> Self {
        Self::with(variables(upstream, more)).await
    }

    /// Starts one whose configuration is a file's, on free ports; the last of two variables of one name counts.
    pub async fn start_bare(more: &[(&str, &str)]) -> Self {
        let ports = [
            ("GATEWAY__SERVER__LISTEN", "127.0.0.1:0"),
            ("GATEWAY__ADMIN__LISTEN", "127.0.0.1:0"),
        ];
        let all = ports.iter().chain(more);
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self::with(all.map(own).collect()).await
    }

    async fn with(variables: Vec<(String, String)>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .env_clear()
            .envs(variables)
            .env("LOG_FORMAT", "json")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway's binary");
        let lines = Arc::<Mutex<Vec<serde_json::Value>>>::default();
        let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let kept = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| line.clone().into());
                kept.lock().unwrap().push(value);
            }
        });
        let mut process = Self {
            child,
            proxy: ([0, 0, 0, 0], 0).into(),
            admin: ([0, 0, 0, 0], 0).into(),
            lines,
        };
        let started = process.event("started").await;
        let address = |key: &str| started[key].as_str().expect(key).parse().expect(key);
        (process.proxy, process.admin) = (address("proxy"), address("admin"));
        process
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("still running")
    }

    /// Every line of its log so far.
    pub fn log(&self) -> Vec<serde_json::Value> {
        self.lines.lock().unwrap().clone()
    }

    /// The first event of that name, waited for.
    pub async fn event(&self, name: &str) -> serde_json::Value {
        let find = || self.log().into_iter().find(|line| line["event"] == name);
        eventually(name, || async { find().is_some() }).await;
        find().unwrap()
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status()
            .expect("kill");
        assert!(status.success(), "kill -{name}");
    }

    /// Waits for its end and tells its exit code.
    pub async fn exit(mut self) -> Option<i32> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it never ended").expect("its status").code()
    }

    /// The most memory it ever had resident, in bytes, without what is mapped of the program itself: half of all, when it is not optimised.
    pub fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:") - self.memory("RssFile:")
    }

    /// What it has resident of its own now, in bytes.
    pub fn own_memory(&self) -> u64 {
        self.memory("RssAnon:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("status");
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.expect(name).split_whitespace().nth(1);
        let kib: u64 = number.expect("a number").parse().expect("a number");
        kib * 1024
    }
}
