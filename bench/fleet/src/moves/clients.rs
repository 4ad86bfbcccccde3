//! The clients: each on a connection that it keeps until it is told to close it, at a steady pace.
//!
//! Guarantees: a request is sent again only where any HTTP client sends it again: a GET on a kept connection that ended without a byte of
//! an answer (RFC 9110, section 9.2.2), or on one that could not be opened. Must not: send a request a third time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::balancer::{Balancer, Choice};
use super::ledger::{Fate, Ledger};
use crate::error::Failure;
use crate::http::{Connection, request_of};

const CONNECTIONS: u32 = 64;
/// Client addresses: every one is behind four connections.
const CLIENTS: u32 = 16;
/// Between two requests of one connection: 1,280 a second in all, 80 for each client, twice what its limit admits.
const PACE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(10);

/// Clients at work.
pub(super) struct Clients {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    begun: Instant,
}

impl Clients {
    pub(super) fn start(balancer: &Balancer, ledger: &Arc<Ledger>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..CONNECTIONS {
            let client = Client {
                address: number % CLIENTS,
                turn: number as usize,
                choice: balancer.choice(),
                connection: None,
            };
            tasks.spawn(client.work(Arc::clone(ledger), Arc::clone(&stop)));
        }
        Self {
            tasks,
            stop,
            begun: Instant::now(),
        }
    }

    /// Stops them; how long they were at work.
    pub(super) async fn stop(mut self) -> Result<Duration, Failure> {
        self.stop.store(true, Ordering::Release);
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(|_| Failure::Never("a client ends"))?;
        }
        Ok(self.begun.elapsed())
    }
}

struct Client {
    address: u32,
    turn: usize,
    choice: Choice,
    connection: Option<Connection>,
}

impl Client {
    async fn work(mut self, ledger: Arc<Ledger>, stop: Arc<AtomicBool>) {
        let request = request_of(self.address);
        let mut beats = interval(PACE);
        while !stop.load(Ordering::Acquire) {
            beats.tick().await;
            let fate = timeout(PATIENCE, self.ask(&request)).await;
            ledger.enter_fate(self.address, fate.unwrap_or(Fate::Lost));
        }
    }

    async fn ask(&mut self, request: &[u8]) -> Fate {
        let kept = self.connection.take();
        let mut again = false;
        if let Some(mut connection) = kept {
            match connection.ask(request).await {
                Ok(status) => return self.answered(connection, status, false),
                Err(_) if connection.has_answer() => return Fate::Lost,
                Err(_) => again = true,
            }
        }
        let Some(mut connection) = self.open().await else {
            return Fate::Lost;
        };
        match connection.ask(request).await {
            Ok(status) => self.answered(connection, status, again),
            Err(_) => Fate::Lost,
        }
    }

    /// A connection to a replica whose turn it is; nothing was sent to one that takes none.
    async fn open(&mut self) -> Option<Connection> {
        for _ in 0..2 {
            self.turn += 1;
            let replica = self.choice.pick(self.turn)?;
            if let Ok(connection) = Connection::open(replica).await {
                return Some(connection);
            }
        }
        None
    }

    fn answered(&mut self, connection: Connection, status: u16, again: bool) -> Fate {
        if !connection.is_closing() {
            self.connection = Some(connection);
        }
        match status {
            500.. => Fate::Lost,
            status => Fate::Answered {
                admitted: status == 200,
                again,
            },
        }
    }
}
