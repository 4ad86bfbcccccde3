//! Load that goes on while something breaks, and what its clients saw.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::support::client::Client;
use crate::support::eventually;
use crate::support::process::Process;

/// A client sends this often: far more than the limits here allow, far less than the machine can do.
const PACE: Duration = Duration::from_millis(2);

/// The lease lifetime by default.
const TAU: f64 = 0.05;

/// A limit, for the environment and for the bound.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) capacity: u32,
    pub(crate) per_second: u32,
}

impl Limit {
    pub(crate) fn variables(self) -> Vec<(&'static str, String)> {
        vec![
            ("RATE_LIMIT_CAPACITY", self.capacity.to_string()),
            ("RATE_LIMIT_REFILL_RATE", self.per_second.to_string()),
            ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "1".to_owned()),
        ]
    }

    /// C + r·(t + 2τ), of one bucket.
    pub(crate) fn bound(self, took: Duration) -> f64 {
        let (capacity, rate) = (f64::from(self.capacity), f64::from(self.per_second));
        capacity + rate * (took.as_secs_f64() + 2.0 * TAU)
    }

    /// The same, and beside it the local buckets that stand in while the store is away: together one more bucket.
    pub(crate) fn bound_with_outage(self, took: Duration) -> f64 {
        self.bound(took) + self.bound(took)
    }
}

/// Gateways that share a store.
pub(crate) async fn gateways(
    count: usize,
    upstream: &str,
    store: &str,
    variables: &[(&str, String)],
) -> Vec<Process> {
    let mut all = vec![("REDIS_URL", store)];
    all.extend(
        variables
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let mut started = Vec::new();
    for _ in 0..count {
        started.push(Process::start(upstream, &all).await);
    }
    let line = format!("gateway_replicas {count}");
    for gateway in &started {
        eventually("every replica knows of every other", || async {
            exposes(gateway, &line).await
        })
        .await;
    }
    started
}

/// Whether a gateway's metrics hold this line now.
pub(crate) async fn exposes(gateway: &Process, line: &str) -> bool {
    let metrics = crate::support::client::get(gateway.admin, "/metrics").await;
    String::from_utf8_lossy(&metrics.body)
        .lines()
        .any(|found| found == line)
}

/// Waits until every gateway has lost the store, or found it.
pub(crate) async fn store_is(up: bool, gateways: &[Process]) {
    let line = format!("gateway_store_up {}", u8::from(up));
    for gateway in gateways {
        eventually(&line, || exposes(gateway, &line)).await;
    }
}

/// What the clients of one load saw.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) longest: Duration,
    pub(crate) took: Duration,
    /// Connections that broke.
    pub(crate) broken: u64,
}

impl Seen {
    pub(crate) fn admitted(&self) -> u64 {
        self.statuses.get(&200).copied().unwrap_or_default()
    }

    /// Everything was either admitted or over the limit.
    pub(crate) fn assert_no_error(&self) {
        let mut other = self.statuses.clone();
        other.retain(|status, _| ![200, 429].contains(status));
        assert!(other.is_empty(), "{self:?}");
    }
}

/// A load under way.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<Seen>>,
    admitted: Arc<AtomicU64>,
    begun: Instant,
}

impl Load {
    /// One client at each gateway.
    pub(crate) fn on(gateways: &[Process]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let begun = Instant::now();
        let admitted = Arc::<AtomicU64>::default();
        let clients = gateways.iter().map(|gateway| {
            let (stopped, admitted) = (stopped.clone(), Arc::clone(&admitted));
            tokio::spawn(send(gateway.proxy, stopped, admitted))
        });
        Self {
            clients: clients.collect(),
            stop,
            admitted,
            begun,
        }
    }

    /// Waits until at least so many more requests were admitted.
    pub(crate) async fn admits(&self, more: u64) {
        let wanted = self.admitted.load(Ordering::Relaxed) + more;
        eventually("more is admitted", || async {
            self.admitted.load(Ordering::Relaxed) >= wanted
        })
        .await;
    }

    pub(crate) async fn stop(self) -> Seen {
        self.stop.send(true).unwrap();
        let mut all = Seen {
            statuses: BTreeMap::new(),
            longest: Duration::ZERO,
            took: Duration::ZERO,
            broken: 0,
        };
        for client in self.clients {
            let seen = client.await.unwrap();
            for (status, count) in seen.statuses {
                *all.statuses.entry(status).or_default() += count;
            }
            all.longest = all.longest.max(seen.longest);
            all.broken += seen.broken;
        }
        all.took = self.begun.elapsed();
        all
    }
}

async fn send(
    address: SocketAddr,
    stopped: watch::Receiver<bool>,
    admitted: Arc<AtomicU64>,
) -> Seen {
    let mut seen = Seen {
        statuses: BTreeMap::new(),
        longest: Duration::ZERO,
        took: Duration::ZERO,
        broken: 0,
    };
    let mut client = Client::connect(address).await;
    let mut beats = interval(PACE);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopped.borrow() {
        beats.tick().await;
        let begun = Instant::now();
        let request = crate::support::client::request(http::Method::GET, "/proxy/ok", &[]);
        let Ok(response) = client.try_send(request).await else {
            seen.broken += 1;
            return seen;
        };
        let answer = crate::support::client::Answer::read(response).await;
        seen.longest = seen.longest.max(begun.elapsed());
        *seen.statuses.entry(answer.status).or_default() += 1;
        if answer.status == 200 {
            admitted.fetch_add(1, Ordering::Relaxed);
        }
    }
    seen
}
