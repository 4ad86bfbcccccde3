//! Load: many connections, each sending one request after the other, as fast as it can or at a pace.
//!
//! Guarantees: at a pace, a request's time counts from when it was due, so that a stall is not hidden by the requests that were
//! not sent during it. Must not: interpret statuses beyond counting them.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use crate::error::Failure;
use crate::http::Connection;

/// One request's fate.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// When it was due.
    pub(crate) due: Instant,
    /// How long after that its answer was there.
    pub(crate) took: Duration,
    pub(crate) status: u16,
    /// Which of the requests it was.
    pub(crate) kind: u32,
}

/// How requests are sent.
pub(crate) struct Load<F> {
    pub(crate) lasts: Duration,
    /// Between two requests of one connection; none for as fast as it can.
    pub(crate) pace: Option<Duration>,
    /// Makes the request number `n` of connection `i`: what it is, and its bytes.
    pub(crate) request: F,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) samples: Vec<Sample>,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
}

impl Outcome {
    pub(crate) fn count(&self, status: u16) -> u64 {
        self.samples
            .iter()
            .filter(|one| one.status == status)
            .count() as u64
    }

    pub(crate) fn errors(&self) -> u64 {
        self.samples.iter().filter(|one| one.status >= 500).count() as u64
    }
}

impl<F, B> Load<F>
where
    F: Fn(usize, u32) -> (u32, B) + Clone + Send + 'static,
    B: AsRef<[u8]> + Send + 'static,
{
    /// Runs it on `connections`.
    pub(crate) async fn run(self, connections: Vec<Connection>) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        let count = u32::try_from(connections.len()).unwrap_or(u32::MAX).max(1);
        for (index, connection) in (0..).zip(connections) {
            // Spread over the pace, so that they do not all send at once.
            let first = begun + self.pace.unwrap_or_default() * index / count;
            let request = self.request.clone();
            let (pace, until) = (self.pace, begun + self.lasts);
            let sending = send(connection, pace, first, until, move |n| {
                request(index as usize, n)
            });
            tasks.spawn(sending);
        }
        let mut samples = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            let ended = ended.map_err(|_| Failure::Never("a load task ends"))?;
            samples.extend(ended?);
        }
        Ok(Outcome {
            samples,
            took: begun.elapsed(),
        })
    }
}

async fn send<B: AsRef<[u8]>>(
    mut connection: Connection,
    pace: Option<Duration>,
    first: Instant,
    until: Instant,
    request: impl Fn(u32) -> (u32, B),
) -> Result<Vec<Sample>, Failure> {
    let mut beats = pace.map(|pace| interval_at(first, pace));
    let mut samples = Vec::new();
    for number in 0.. {
        let due = match &mut beats {
            Some(beats) => beats.tick().await,
            None => Instant::now(),
        };
        if due >= until {
            break;
        }
        let (kind, bytes) = request(number);
        let status = connection.ask(bytes.as_ref()).await?;
        samples.push(Sample {
            due,
            took: due.elapsed(),
            status,
            kind,
        });
    }
    Ok(samples)
}
