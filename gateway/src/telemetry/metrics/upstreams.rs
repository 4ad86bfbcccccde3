//! Attempts at upstreams, their endpoints, and the places they have. Must not: know who records.

use prometheus::Registry;

use crate::telemetry::declare::family;
use crate::telemetry::family::Family;
use crate::telemetry::series::{Counter, Gauge, Histogram, Total};

/// Attempts at upstreams, their endpoints, and the places they have.
#[derive(Debug)]
pub struct Upstreams {
    /// `gateway_upstream_requests_total{upstream,outcome}`
    pub requests: Family<Counter>,
    /// `gateway_upstream_request_duration_seconds{upstream}`
    pub duration: Family<Histogram>,
    /// `gateway_upstream_endpoint_healthy{upstream,endpoint}`
    pub endpoint_healthy: Family<Gauge>,
    /// `gateway_upstream_endpoint_ejections_total{upstream,endpoint}`
    pub endpoint_ejections: Family<Total>,
    /// `gateway_upstream_endpoint_in_flight{upstream,endpoint}`
    pub endpoint_in_flight: Family<Gauge>,
    /// `gateway_overload_refusals_total{upstream,reason}`
    pub overload_refusals: Family<Counter>,
    /// `gateway_upstream_requests_in_flight{upstream}`, of upstreams with a limit on them
    pub in_flight: Family<Gauge>,
    /// `gateway_upstream_requests_queued{upstream}`
    pub queued: Family<Gauge>,
    /// `gateway_upstream_concurrency_limit{upstream}`
    pub concurrency_limit: Family<Gauge>,
}

impl Upstreams {
    /// All at zero.
    pub(super) fn declare(registry: &Registry) -> Self {
        Self {
            requests: family(
                registry,
                "gateway_upstream_requests_total",
                "Attempts sent to an upstream, by what became of them.",
                &["upstream", "outcome"],
            ),
            duration: family(
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
            overload_refusals: family(
                registry,
                "gateway_overload_refusals_total",
                "Requests refused because there was no place for them, by what was full.",
                &["upstream", "reason"],
            ),
            in_flight: family(
                registry,
                "gateway_upstream_requests_in_flight",
                "Requests that hold a place at an upstream whose concurrency is limited.",
                &["upstream"],
            ),
            queued: family(
                registry,
                "gateway_upstream_requests_queued",
                "Requests that wait for a place at an upstream.",
                &["upstream"],
            ),
            concurrency_limit: family(
                registry,
                "gateway_upstream_concurrency_limit",
                "Places at an upstream, at present.",
                &["upstream"],
            ),
        }
    }
}
