//! Every series the gateway exposes, declared once with its help text, unit and labels: a file for each subject.
//!
//! Guarantees: Prometheus base units; no label holds a client address, a key or a raw path; names are the contract's.
//! Must not: be global — handles are passed to who records.

mod cache;
mod circuits;
mod entrance;
mod http;
mod limits;
mod process;
mod store;
mod upstreams;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{Registry, TextEncoder};
use tokio::sync::Semaphore;

pub use cache::Cache;
pub use circuits::Circuits;
pub use entrance::Entrance;
pub use http::Http;
pub use limits::Limits;
pub use process::Process;
pub use store::Store;
pub use upstreams::Upstreams;

use super::declare::register;

/// Copies counts that are kept elsewhere.
type Source = Box<dyn Fn(&Metrics) + Send + Sync>;

/// Handles to every series.
pub struct Metrics {
    registry: Registry,
    sources: Mutex<Vec<Source>>,
    /// Who may have the exposition made on a thread of its own.
    aside: Arc<Semaphore>,
    /// Requests of clients.
    pub http: Http,
    /// Attempts, endpoints, places.
    pub upstreams: Upstreams,
    /// Decisions of limits.
    pub limits: Limits,
    /// States of circuits.
    pub circuits: Circuits,
    /// Kept answers.
    pub cache: Cache,
    /// The shared store.
    pub store: Store,
    /// Connections, TLS, authentication.
    pub entrance: Entrance,
    /// The process itself.
    pub process: Process,
}

impl Metrics {
    /// All series at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        register(&registry, process::System::new());
        Arc::new(Self {
            http: Http::declare(&registry),
            upstreams: Upstreams::declare(&registry),
            limits: Limits::declare(&registry),
            circuits: Circuits::declare(&registry),
            cache: Cache::declare(&registry),
            store: Store::declare(&registry),
            entrance: Entrance::declare(&registry),
            process: Process::declare(&registry),
            registry,
            sources: Mutex::default(),
            aside: Arc::new(Semaphore::new(1)),
        })
    }

    /// Has `source` copy counts that are kept elsewhere into their series before each exposition.
    pub fn add_source(&self, source: impl Fn(&Self) + Send + Sync + 'static) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.push(Box::new(source));
    }

    /// The exposition in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        for source in self
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            source(self);
        }
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }

    /// The same, made on another thread than the caller's, where requests would have to wait for it. One at a time, however many ask and
    /// leave again.
    pub async fn render_aside(self: &Arc<Self>) -> String {
        let Ok(turn) = Arc::clone(&self.aside).acquire_owned().await else {
            return String::new();
        };
        let metrics = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || {
            let text = metrics.render();
            drop(turn);
            text
        });
        made.await.unwrap_or_default()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_exposition_is_made_where_no_request_waits_for_it() {
        let metrics = Metrics::new();
        let makers = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&makers);
        metrics.add_source(move |_| seen.lock().unwrap().push(std::thread::current().id()));
        let (one, other) = tokio::join!(metrics.render_aside(), metrics.render_aside());
        assert!(one.contains("gateway_build_info") && other.contains("gateway_build_info"));
        let makers = makers.lock().unwrap();
        assert_eq!(makers.len(), 2);
        assert!(!makers.contains(&std::thread::current().id()));
    }

    #[test]
    fn everything_is_exposed() {
        let metrics = Metrics::new();
        metrics.http.requests.with(&["proxy", "GET", "200"]).add(3);
        metrics.http.in_flight.with(&["proxy"]).add(2);
        metrics
            .http
            .duration
            .with(&["proxy"])
            .observe(std::time::Duration::from_millis(30));
        let text = metrics.render();
        for line in [
            "# TYPE gateway_http_requests_total counter",
            "gateway_http_requests_total{route=\"proxy\",method=\"GET\",code=\"200\"} 3",
            "gateway_http_requests_in_flight{route=\"proxy\"} 2",
            "gateway_http_request_duration_seconds_bucket{route=\"proxy\",le=\"0.05\"} 1",
            "gateway_http_request_duration_seconds_bucket{route=\"proxy\",le=\"+Inf\"} 1",
            "gateway_store_up 0",
            "process_resident_memory_bytes",
            "gateway_build_info{version=\"",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
