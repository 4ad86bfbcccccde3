//! Real Redis servers for tests: each on a free loopback port, in a directory of its own, without persistence, gone when dropped.
//!
//! Guarantees: nothing outlives the test that started it. Must not: be shared between tests, or use a server it did not start.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{Client, Cmd, FromRedisValue, RedisResult};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long anything here may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A port nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A server process.
pub(crate) struct Server {
    child: Option<Child>,
    dir: TempDir,
    port: u16,
    arguments: Vec<String>,
}

impl Server {
    /// A plain server that answers.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with further arguments (`--name value …`) that answers on its plain port.
    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        let server = Self::spawn(free_port(), arguments);
        server.answers().await;
        server
    }

    /// A server that is starting.
    pub(crate) fn spawn(port: u16, arguments: &[&str]) -> Self {
        let mut server = Self {
            child: None,
            dir: TempDir::new().expect("a directory"),
            port,
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        server.restart();
        server
    }

    /// Starts the process again, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .current_dir(self.dir.path())
            .args(["--port", &port, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("redis-server is installed"));
    }

    /// Kills the process and waits for its end.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops the process without ending it: connections stay open and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("a process").id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> String {
        let wanted = self
            .arguments
            .iter()
            .position(|word| word == "--requirepass");
        let password = wanted.and_then(|at| self.arguments.get(at + 1));
        let credentials = password.map_or_else(String::new, |password| format!(":{password}@"));
        format!("redis://{credentials}127.0.0.1:{}", self.port)
    }

    /// Runs one command on a connection of its own.
    pub(crate) async fn run<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let client = Client::open(self.url()).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await?;
        command(words).query_async(&mut connection).await
    }

    /// Waits until the server answers, be it with a refusal.
    pub(crate) async fn answers(&self) {
        eventually("the server answers", async || {
            match self.run::<String>(&["PING"]).await {
                Ok(_) => true,
                Err(error) => !error.is_io_error(),
            }
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command out of its words.
pub(crate) fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

/// What the servers behind sentinels ask for; the sentinels themselves ask for nothing.
const PASSWORD: &str = "s3cr3t";

/// A sentinel process, which is a server with a file.
pub(crate) fn sentinel(master_port: u16) -> Server {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("sentinel.conf");
    let text = format!(
        "sentinel monitor main 127.0.0.1 {master_port} 2\n\
         sentinel auth-pass main {PASSWORD}\n\
         sentinel down-after-milliseconds main 500\n\
         sentinel failover-timeout main 2000\n"
    );
    std::fs::write(&file, text).expect("a file");
    let port = free_port();
    let child = Command::new("redis-server")
        .current_dir(dir.path())
        .arg(&file)
        .arg("--sentinel")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed");
    Server {
        child: Some(child),
        dir,
        port,
        arguments: Vec::new(),
    }
}

/// A master, its replica and three sentinels who know of each other.
pub(crate) struct Watched {
    pub(crate) master: Server,
    pub(crate) replica: Server,
    pub(crate) sentinels: Vec<Server>,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        let secret = ["--requirepass", PASSWORD, "--masterauth", PASSWORD];
        let master = Server::start_with(&secret).await;
        let port = master.port().to_string();
        let following = ["--replicaof", "127.0.0.1", &port];
        let replica = Server::start_with(&[&secret[..], &following].concat()).await;
        eventually("the replica follows", async || {
            let said: RedisResult<String> = replica.run(&["INFO", "replication"]).await;
            said.is_ok_and(|said| said.contains("master_link_status:up"))
        })
        .await;
        let sentinels: Vec<Server> = (0..3).map(|_| sentinel(master.port())).collect();
        for one in &sentinels {
            eventually("a sentinel knows the rest", async || {
                let master = ["SENTINEL", "MASTER", "main"];
                let said: RedisResult<Vec<String>> = one.run(&master).await;
                said.is_ok_and(|said| {
                    let value = |name: &str| {
                        let at = said.iter().position(|word| word == name);
                        at.and_then(|at| said.get(at + 1).cloned())
                    };
                    value("num-other-sentinels").as_deref() == Some("2")
                        && value("num-slaves").as_deref() == Some("1")
                })
            })
            .await;
        }
        Self {
            master,
            replica,
            sentinels,
        }
    }

    pub(crate) fn url(&self) -> String {
        let ports = self.sentinels.iter().map(Server::port);
        let hosts: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+sentinel://:{PASSWORD}@{}/main", hosts.join(","))
    }
}

/// Three masters that share the slots.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            // The bus port is chosen too: by default it is the port plus 10,000, which may not exist.
            let bus = free_port().to_string();
            let arguments = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            nodes.push(Server::start_with(&arguments).await);
        }
        let hosts = nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(hosts)
            .arg("--cluster-yes")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("redis-cli is installed").success());
        for node in &nodes {
            eventually("the cluster is whole", async || {
                let said: RedisResult<String> = node.run(&["CLUSTER", "INFO"]).await;
                said.is_ok_and(|said| said.contains("cluster_state:ok"))
            })
            .await;
        }
        Self { nodes }
    }

    pub(crate) fn url(&self) -> String {
        let ports = self.nodes.iter().map(Server::port);
        let hosts: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The node that serves the slot of `key`, and the slot.
    pub(crate) async fn owner(&self, key: &str) -> (usize, u16) {
        let slot: u16 = self.nodes[0]
            .run(&["CLUSTER", "KEYSLOT", key])
            .await
            .expect("a slot");
        for (index, node) in self.nodes.iter().enumerate() {
            // The owner counts the keys of its slots; only the owner answers a read without MOVED.
            let answer: RedisResult<Option<String>> = node.run(&["GET", key]).await;
            if answer.is_ok() {
                return (index, slot);
            }
        }
        panic!("nobody serves slot {slot}");
    }

    /// The name of a node within the cluster.
    pub(crate) async fn id(&self, index: usize) -> String {
        self.nodes[index]
            .run(&["CLUSTER", "MYID"])
            .await
            .expect("a name")
    }
}

/// An authority and a certificate it made for loopback, as files.
pub(crate) struct Certificates {
    dir: TempDir,
}

impl Certificates {
    pub(crate) fn make() -> Self {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let dir = TempDir::new().expect("a directory");
        let authority_key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = authority.self_signed(&authority_key).expect("a root");
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().expect("a key");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = CertificateParams::new(names).expect("parameters");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let write = |name: &str, text: String| {
            std::fs::write(dir.path().join(name), text).expect("a file");
        };
        write("ca.pem", root.pem());
        write("cert.pem", certificate.pem());
        write("key.pem", key.serialize_pem());
        Self { dir }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}
