//! Clients that go on asking, on connections they keep and on new ones, and count what goes wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::Method;
use tokio::task::JoinHandle;

use crate::support::client::{Answer, Client, request};

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// `keeping` clients keep their connection as long as they may, `leaving` ones ask once on each.
    pub(crate) fn start(address: SocketAddr, keeping: usize, leaving: usize) -> Self {
        let (stop, answered) = (Arc::default(), Arc::default());
        let client = |keeps| {
            tokio::spawn(ask(
                address,
                keeps,
                Arc::clone(&stop),
                Arc::clone(&answered),
            ))
        };
        let keeping = (0..keeping).map(|_| client(true));
        let clients = keeping.collect::<Vec<_>>().into_iter();
        let clients = clients.chain((0..leaving).map(|_| client(false)));
        Self {
            clients: clients.collect(),
            stop,
            answered,
        }
    }

    /// Waits until so many more requests are answered.
    pub(crate) async fn more(&self, requests: u64) {
        let goal = self.answered.load(Ordering::Relaxed) + requests;
        let reached = || async { self.answered.load(Ordering::Relaxed) >= goal };
        crate::support::eventually("requests are answered", reached).await;
    }

    /// Everything that went wrong.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(client.await.unwrap());
        }
        failures
    }
}

async fn ask(
    address: SocketAddr,
    keeps: bool,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) -> Vec<String> {
    let mut failures = Vec::new();
    let mut client = None;
    while !stop.load(Ordering::Relaxed) {
        let mut on = match client.take() {
            Some(client) => client,
            None => Client::connect(address).await,
        };
        match on.try_send(request(Method::GET, "/proxy/echo", &[])).await {
            Ok(response) => {
                let says_close = response
                    .headers()
                    .get("connection")
                    .is_some_and(|said| said == "close");
                let answer = Answer::read(response).await;
                if answer.status != 200 {
                    failures.push(format!("status {}", answer.status));
                }
                client = (keeps && !says_close).then_some(on);
            }
            Err(error) => failures.push(format!("{error:?}")),
        }
        answered.fetch_add(1, Ordering::Relaxed);
        // As fast as a client that does something with its answers: the machine has other work to do.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    failures
}
