//! The two ends of the wire.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::support::gateway::Gateway;
use super::support::{PATIENCE, eventually};

/// What the upstream says when nothing else was written down.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// An upstream that records each connection's bytes and answers each request with the next of its answers.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Upstream {
    /// Answers the requests it sees with `answers`, in order, then with [`OK`]. An answer that ends in `<close>` closes.
    pub(crate) async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let answers: VecDeque<_> = answers.iter().map(|&one| one.to_owned()).collect();
        let answers = Arc::new(Mutex::new(answers));
        let log = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let index = {
                    let mut log = log.lock().unwrap();
                    log.push(Vec::new());
                    log.len() - 1
                };
                tokio::spawn(converse(
                    stream,
                    index,
                    Arc::clone(&log),
                    Arc::clone(&answers),
                ));
            }
        });
        Self { address, received }
    }

    /// Everything received, connection after connection.
    pub(crate) fn received(&self) -> String {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .map(|one| String::from_utf8_lossy(one).into_owned())
            .collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// Waits until it has received `text`.
    pub(crate) async fn has(&self, text: &str) {
        eventually(&format!("the upstream receives {text:?}"), || async {
            self.received().contains(text)
        })
        .await;
    }
}

async fn converse(
    mut stream: TcpStream,
    index: usize,
    log: Arc<Mutex<Vec<Vec<u8>>>>,
    answers: Arc<Mutex<VecDeque<String>>>,
) {
    let mut answered = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let requests = {
            let log = log.lock().unwrap();
            complete_requests(&log[index])
        };
        while answered < requests {
            let answer = answers
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or_else(|| OK.to_owned());
            answered += 1;
            let (bytes, close) = match answer.strip_suffix("<close>") {
                Some(bytes) => (bytes, true),
                None => (answer.as_str(), false),
            };
            if stream.write_all(bytes.as_bytes()).await.is_err() || close {
                return;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => log.lock().unwrap()[index].extend_from_slice(&buffer[..count]),
        }
    }
}

/// How many whole requests these bytes are, for a reader who believes them. A head with `expect-early: 1` counts without body.
fn complete_requests(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.as_ref();
    let mut count = 0;
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let head = head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        rest = if head.contains("\r\nanswer-early: 1") {
            ""
        } else if head.contains("\r\ntransfer-encoding: chunked") {
            let Some(at) = (if after.starts_with("0\r\n") {
                Some(0)
            } else {
                after.find("\r\n0\r\n").map(|at| at + 2)
            }) else {
                return count;
            };
            let Some(end) = after[at..].find("\r\n\r\n") else {
                return count;
            };
            &after[at + end + 4..]
        } else {
            let length = length.map_or(0, |length| length.parse().unwrap());
            let Some(after) = after.get(length..) else {
                return count;
            };
            after
        };
        count += 1;
    }
    count
}

/// A client's end.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
}

impl Wire {
    pub(crate) async fn connect(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(gateway.proxy()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    pub(crate) async fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Reads until what was read holds `text`, and hands all of it over.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let mut all = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let seen = String::from_utf8_lossy(&all).into_owned();
            if seen.contains(text) {
                return seen;
            }
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
            let count = read
                .unwrap_or_else(|_| panic!("no {text:?} in {seen:?}"))
                .unwrap();
            assert!(count > 0, "closed without {text:?}: {seen:?}");
            all.extend_from_slice(&buffer[..count]);
        }
    }

    /// Reads until the gateway closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        timeout(PATIENCE, self.stream.read_to_end(&mut all))
            .await
            .unwrap_or_else(|_| panic!("the connection stays open"))
            .expect("closed, not reset");
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// An upstream and a gateway before it.
pub(crate) struct Pair {
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
}

impl Pair {
    pub(crate) async fn start(answers: &[&str], more: &[(&str, &str)]) -> Self {
        let upstream = Upstream::start(answers).await;
        let gateway = Gateway::start(&format!("http://{}", upstream.address), more);
        Self { upstream, gateway }
    }

    /// Sends `bytes` on a connection of its own and reads the answers, however many they are. A last request, to the gateway
    /// itself, marks the end; its answer is cut off.
    pub(crate) async fn exchange(&self, bytes: &str) -> String {
        let last = "GET /health HTTP/1.1\r\nhost: last\r\nconnection: close\r\n\r\n";
        let mut answer = self.until_closed(&format!("{bytes}{last}")).await;
        if answer.ends_with("{\"status\":\"healthy\"}")
            && let Some(at) = answer.rfind("HTTP/1.1 200 OK")
        {
            answer.truncate(at);
        }
        answer
    }

    /// Sends `bytes`, says that no more will come, and reads the answers.
    pub(crate) async fn cut_off(&self, bytes: &str) -> String {
        let mut wire = Wire::connect(&self.gateway).await;
        wire.send(bytes).await;
        wire.stream.shutdown().await.unwrap();
        wire.rest().await
    }

    /// Sends `bytes`, leaves the connection open, and reads until the gateway closes.
    pub(crate) async fn until_closed(&self, bytes: &str) -> String {
        let mut wire = Wire::connect(&self.gateway).await;
        wire.send(bytes).await;
        wire.rest().await
    }
}

/// The status of the first answer in `bytes`.
pub(crate) fn status(bytes: &str) -> u16 {
    let code = bytes
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5));
    code.and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status: {bytes:?}"))
}
