//! Every series the gateway exposes, declared once with its help text, unit and labels.
//!
//! Guarantees: Prometheus base units; no label holds a client address, a key or a raw path; names are the contract's.
//! Must not: be global — handles are passed to who records.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::process_collector::ProcessCollector;
use prometheus::{Registry, TextEncoder};

use super::family::Family;
use super::register::{family, register, single};
use super::series::{Counter, Gauge, Histogram, Total};

/// Copies counts that are kept elsewhere.
type Source = Box<dyn Fn(&Metrics) + Send + Sync>;

/// Handles to every series.
pub struct Metrics {
    registry: Registry,
    sources: Mutex<Vec<Source>>,
    /// `gateway_http_requests_total{route,method,code}`
    pub requests: Family<Counter>,
    /// `gateway_http_request_duration_seconds{route}`
    pub request_duration: Family<Histogram>,
    /// `gateway_http_requests_in_flight{route}`
    pub in_flight: Family<Gauge>,
    /// `gateway_upstream_requests_total{upstream,outcome}`
    pub upstream_requests: Family<Counter>,
    /// `gateway_upstream_request_duration_seconds{upstream}`
    pub upstream_duration: Family<Histogram>,
    /// `gateway_upstream_endpoint_healthy{upstream,endpoint}`
    pub endpoint_healthy: Family<Gauge>,
    /// `gateway_upstream_endpoint_ejections_total{upstream,endpoint}`
    pub endpoint_ejections: Family<Total>,
    /// `gateway_upstream_endpoint_in_flight{upstream,endpoint}`
    pub endpoint_in_flight: Family<Gauge>,
    /// `gateway_mirror_requests_total{route,result}`
    pub mirror_requests: Family<Counter>,
    /// `gateway_split_requests_total{route,upstream}`
    pub split_requests: Family<Counter>,
    /// `gateway_retries_total{route,reason}`
    pub retries: Family<Counter>,
    /// `gateway_auth_decisions_total{auth,result}`
    pub auth_decisions: Family<Counter>,
    /// `gateway_hedges_total{route,outcome}`
    pub hedges: Family<Counter>,
    /// `gateway_retry_budget_exhausted_total{route}`
    pub retry_budget_exhausted: Family<Counter>,
    /// `gateway_overload_refusals_total{upstream,reason}`
    pub overload_refusals: Family<Counter>,
    /// `gateway_upstream_requests_in_flight{upstream}`, of upstreams with a limit on them
    pub upstream_in_flight: Family<Gauge>,
    /// `gateway_upstream_requests_queued{upstream}`
    pub upstream_queued: Family<Gauge>,
    /// `gateway_upstream_concurrency_limit{upstream}`
    pub upstream_limit: Family<Gauge>,
    /// `gateway_rate_limit_decisions_total{policy,decision}`
    pub limit_decisions: Family<Total>,
    /// `gateway_rate_limit_local_decisions_total{policy,by}`
    pub limit_local: Family<Total>,
    /// `gateway_rate_limit_lease_tokens_total{policy,fate}`
    pub lease_tokens: Family<Total>,
    /// `gateway_circuit_breaker_state{upstream}`
    pub circuit_state: Family<Gauge>,
    /// `gateway_circuit_breaker_transitions_total{upstream,from,to}`
    pub circuit_transitions: Family<Counter>,
    /// `gateway_circuit_breaker_rejections_total{upstream}`
    pub circuit_rejections: Family<Counter>,
    /// `gateway_cache_requests_total{route,result}`
    pub cache_requests: Family<Counter>,
    /// `gateway_cache_bytes`
    pub cache_bytes: Arc<Gauge>,
    /// `gateway_cache_entries`
    pub cache_entries: Arc<Gauge>,
    /// `gateway_cache_evictions_total`
    pub cache_evictions: Arc<Total>,
    /// `gateway_store_up`
    pub store_up: Arc<Gauge>,
    /// `gateway_store_operations_total{op,result}`
    pub store_operations: Family<Counter>,
    /// `gateway_store_operation_duration_seconds{op}`
    pub store_duration: Family<Histogram>,
    /// `gateway_replicas`
    pub replicas: Arc<Gauge>,
    /// `gateway_trace_spans_dropped_total`
    pub trace_spans_dropped: Arc<Counter>,
    /// `gateway_client_connections_ended_total{reason}`
    pub connections_ended: Family<Counter>,
    /// `gateway_tls_handshakes_total{result}`
    pub tls_handshakes: Family<Counter>,
    /// `gateway_tls_reloads_total{result}`
    pub tls_reloads: Family<Counter>,
    /// `gateway_tls_certificate_expiry_timestamp_seconds{name}`
    pub tls_expiry: Family<Gauge>,
    /// `gateway_config_reloads_total{result}`
    pub config_reloads: Family<Counter>,
    /// `gateway_config_last_reload_success_timestamp_seconds`
    pub config_loaded_at: Arc<Gauge>,
    /// `gateway_log_lines_dropped_total`
    pub log_lines_dropped: Arc<Counter>,
}

impl Metrics {
    /// All series at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        let registry = &registry;
        let build = family::<Gauge>(
            registry,
            "gateway_build_info",
            "The running build; always 1.",
            &["version", "revision"],
        );
        let revision = option_env!("GATEWAY_REVISION").unwrap_or("unknown");
        build.with(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        register(registry, ProcessCollector::for_self());
        Arc::new(Self {
            requests: family(
                registry,
                "gateway_http_requests_total",
                "Requests answered, by route, method and status code.",
                &["route", "method", "code"],
            ),
            request_duration: family(
                registry,
                "gateway_http_request_duration_seconds",
                "Time from a request's head to the last byte of its answer.",
                &["route"],
            ),
            in_flight: family(
                registry,
                "gateway_http_requests_in_flight",
                "Requests whose answer is not complete.",
                &["route"],
            ),
            upstream_requests: family(
                registry,
                "gateway_upstream_requests_total",
                "Attempts sent to an upstream, by what became of them.",
                &["upstream", "outcome"],
            ),
            upstream_duration: family(
                registry,
                "gateway_upstream_request_duration_seconds",
                "Time from an attempt's start to the upstream's response head.",
                &["upstream"],
            ),
            endpoint_healthy: family(
                registry,
                "gateway_upstream_endpoint_healthy",
                "1 while an endpoint takes requests, 0 while checks fail or it is left out.",
                &["upstream", "endpoint"],
            ),
            endpoint_ejections: family(
                registry,
                "gateway_upstream_endpoint_ejections_total",
                "Times an endpoint was left out because its requests kept failing.",
                &["upstream", "endpoint"],
            ),
            endpoint_in_flight: family(
                registry,
                "gateway_upstream_endpoint_in_flight",
                "Attempts at an endpoint whose answer is not complete, as of the last tick.",
                &["upstream", "endpoint"],
            ),
            mirror_requests: family(
                registry,
                "gateway_mirror_requests_total",
                "Copies of requests to a second upstream, by what became of them.",
                &["route", "result"],
            ),
            split_requests: family(
                registry,
                "gateway_split_requests_total",
                "Requests of a route that is split, by the upstream chosen.",
                &["route", "upstream"],
            ),
            retries: family(
                registry,
                "gateway_retries_total",
                "Attempts after the first, by what made them necessary.",
                &["route", "reason"],
            ),
            auth_decisions: family(
                registry,
                "gateway_auth_decisions_total",
                "What a way to let requests in found out about them.",
                &["auth", "result"],
            ),
            hedges: family(
                registry,
                "gateway_hedges_total",
                "Attempts made beside a slow one, by whether theirs was the answer.",
                &["route", "outcome"],
            ),
            retry_budget_exhausted: family(
                registry,
                "gateway_retry_budget_exhausted_total",
                "Retries and hedges that were not made because the route's budget was spent.",
                &["route"],
            ),
            overload_refusals: family(
                registry,
                "gateway_overload_refusals_total",
                "Requests refused because there was no place for them, by what was full.",
                &["upstream", "reason"],
            ),
            upstream_in_flight: family(
                registry,
                "gateway_upstream_requests_in_flight",
                "Requests that hold a place at an upstream whose concurrency is limited.",
                &["upstream"],
            ),
            upstream_queued: family(
                registry,
                "gateway_upstream_requests_queued",
                "Requests that wait for a place at an upstream.",
                &["upstream"],
            ),
            upstream_limit: family(
                registry,
                "gateway_upstream_concurrency_limit",
                "Places at an upstream, at present.",
                &["upstream"],
            ),
            limit_decisions: family(
                registry,
                "gateway_rate_limit_decisions_total",
                "Decisions of a limit.",
                &["policy", "decision"],
            ),
            limit_local: family(
                registry,
                "gateway_rate_limit_local_decisions_total",
                "Decisions made without asking the store, by what made them.",
                &["policy", "by"],
            ),
            lease_tokens: family(
                registry,
                "gateway_rate_limit_lease_tokens_total",
                "Tokens held ahead, by what became of them.",
                &["policy", "fate"],
            ),
            circuit_state: family(
                registry,
                "gateway_circuit_breaker_state",
                "State as this replica sees it: 0 closed, 1 half-open, 2 open.",
                &["upstream"],
            ),
            circuit_transitions: family(
                registry,
                "gateway_circuit_breaker_transitions_total",
                "Changes of state as this replica saw them.",
                &["upstream", "from", "to"],
            ),
            circuit_rejections: family(
                registry,
                "gateway_circuit_breaker_rejections_total",
                "Requests refused because the circuit was open.",
                &["upstream"],
            ),
            cache_requests: family(
                registry,
                "gateway_cache_requests_total",
                "Requests of routes that keep answers, by what became of them.",
                &["route", "result"],
            ),
            cache_bytes: single(
                registry,
                "gateway_cache_bytes",
                "Bytes of answers kept in this process, with what it costs to keep them.",
            ),
            cache_entries: single(
                registry,
                "gateway_cache_entries",
                "Answers kept in this process, and places for their variants.",
            ),
            cache_evictions: single(
                registry,
                "gateway_cache_evictions_total",
                "Answers pushed out of this process's memory by others.",
            ),
            store_up: single(
                registry,
                "gateway_store_up",
                "1 while the shared store answers, else 0.",
            ),
            store_operations: family(
                registry,
                "gateway_store_operations_total",
                "Calls to the store, by result.",
                &["op", "result"],
            ),
            store_duration: family(
                registry,
                "gateway_store_operation_duration_seconds",
                "Time one call to the store took.",
                &["op"],
            ),
            replicas: single(
                registry,
                "gateway_replicas",
                "Replicas that share the store, as last heard.",
            ),
            trace_spans_dropped: single(
                registry,
                "gateway_trace_spans_dropped_total",
                "Spans dropped because the collector of traces was too slow or away.",
            ),
            connections_ended: family(
                registry,
                "gateway_client_connections_ended_total",
                "Connections of clients that the gateway ended in self-defence, by why.",
                &["reason"],
            ),
            tls_handshakes: family(
                registry,
                "gateway_tls_handshakes_total",
                "TLS handshakes with clients, by result.",
                &["result"],
            ),
            tls_reloads: family(
                registry,
                "gateway_tls_reloads_total",
                "Readings of changed certificates, by result.",
                &["result"],
            ),
            tls_expiry: family(
                registry,
                "gateway_tls_certificate_expiry_timestamp_seconds",
                "When a certificate shown to clients ends, in seconds since 1970.",
                &["name"],
            ),
            config_reloads: reloads(registry),
            config_loaded_at: single(
                registry,
                "gateway_config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read, in seconds since 1970.",
            ),
            log_lines_dropped: single(
                registry,
                "gateway_log_lines_dropped_total",
                "Log lines dropped because the reader of the log was too slow.",
            ),
            registry: registry.clone(),
            sources: Mutex::default(),
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
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Both results from the start: the first failure must be an increase.
fn reloads(registry: &Registry) -> Family<Counter> {
    let reloads = family(
        registry,
        "gateway_config_reloads_total",
        "Readings of the configuration while running, by result.",
        &["result"],
    );
    for result in ["success", "failure"] {
        let _: Arc<Counter> = reloads.with(&[result]);
    }
    reloads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_exposed() {
        let metrics = Metrics::new();
        metrics.requests.with(&["proxy", "GET", "200"]).add(3);
        metrics.in_flight.with(&["proxy"]).add(2);
        metrics
            .request_duration
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
            "gateway_build_info{",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
