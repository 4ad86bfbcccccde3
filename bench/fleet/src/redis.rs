//! A Redis server of our own, and how many commands it was sent.
//!
//! Guarantees: on a free loopback port, without persistence, gone when dropped. Must not: count what a script does inside the
//! server as commands that were sent.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, Connection};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::error::Failure;

const PATIENCE: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct Redis {
    child: Child,
    _dir: TempDir,
    url: String,
    connection: Connection,
}

/// Scripts that were run so far: all that the gateways send but for keeping their event channel alive.
#[derive(Clone, Copy)]
pub(crate) struct Sent(pub(crate) u64);

impl Redis {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let dir = TempDir::new().map_err(Failure::system("a directory for Redis"))?;
        let port = free_port().map_err(Failure::system("a port for Redis"))?;
        let mut child = Command::new("redis-server")
            .current_dir(dir.path())
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::system("redis-server"))?;
        let url = format!("redis://127.0.0.1:{port}");
        match answering(&url).await {
            Ok(connection) => Ok(Self {
                child,
                _dir: dir,
                url,
                connection,
            }),
            Err(failure) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failure)
            }
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn sent(&mut self) -> Result<Sent, Failure> {
        let info: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut self.connection)?;
        let calls = |line: &str| {
            let rest = line
                .strip_prefix("cmdstat_evalsha:calls=")
                .or_else(|| line.strip_prefix("cmdstat_eval:calls="))?;
            rest.split(',').next()?.parse::<u64>().ok()
        };
        Ok(Sent(info.lines().filter_map(calls).sum()))
    }

    /// Listens to the transitions of circuits on the shared channel.
    pub(crate) async fn epochs(&self, channel: &str) -> Result<Epochs, Failure> {
        let client = Client::open(self.url.as_str())?;
        let (mut sink, stream) = client.get_async_pubsub().await?.split();
        sink.subscribe(channel).await?;
        let (sender, receiver) = unbounded_channel();
        let task = tokio::spawn(tell_epochs(stream, sender));
        Ok(Epochs {
            receiver,
            _sink: sink,
            task,
        })
    }

    /// Stops the process without ending it: connections stay open and nothing answers.
    pub(crate) fn freeze(&self) -> Result<(), Failure> {
        self.signal("-STOP")
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) -> Result<(), Failure> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<(), Failure> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        sent.map(drop).map_err(Failure::system("kill"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn answering(url: &str) -> Result<Connection, Failure> {
    let client = Client::open(url)?;
    let begun = Instant::now();
    loop {
        match client.get_connection_with_timeout(Duration::from_secs(1)) {
            Ok(connection) => return Ok(connection),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// The epochs of a circuit, each once, as they begin.
pub(crate) struct Epochs {
    receiver: UnboundedReceiver<u64>,
    // The subscription lives as long as this.
    _sink: PubSubSink,
    task: JoinHandle<()>,
}

impl Epochs {
    pub(crate) async fn next(&mut self) -> Option<u64> {
        self.receiver.recv().await
    }

    /// The next one if it has begun already.
    pub(crate) fn try_next(&mut self) -> Option<u64> {
        self.receiver.try_recv().ok()
    }
}

impl Drop for Epochs {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tell_epochs(mut stream: PubSubStream, sender: UnboundedSender<u64>) {
    let mut last = 0;
    while let Some(message) = stream.next().await {
        // A first failure is published too, with the epoch in which it happened.
        match epoch(message.get_payload_bytes()) {
            Some(epoch) if epoch != last => {
                last = epoch;
                if sender.send(epoch).is_err() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// The number under `epoch` in an event.
fn epoch(event: &[u8]) -> Option<u64> {
    let (_, rest) = std::str::from_utf8(event).ok()?.split_once("\"epoch\":")?;
    rest.trim_end_matches('}').parse().ok()
}
