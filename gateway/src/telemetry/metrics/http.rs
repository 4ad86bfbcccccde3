//! Requests of clients, and what routes do with them. Must not: know who records.

use prometheus::Registry;

use crate::telemetry::declare::family;
use crate::telemetry::family::Family;
use crate::telemetry::series::{Counter, Gauge, Histogram};

/// Requests of clients, and what routes do with them.
#[derive(Debug)]
pub struct Http {
    /// `gateway_http_requests_total{route,method,code}`
    pub requests: Family<Counter>,
    /// `gateway_http_request_duration_seconds{route}`
    pub duration: Family<Histogram>,
    /// `gateway_http_requests_in_flight{route}`
    pub in_flight: Family<Gauge>,
    /// `gateway_retries_total{route,reason}`
    pub retries: Family<Counter>,
    /// `gateway_retry_budget_exhausted_total{route}`
    pub retry_budget_exhausted: Family<Counter>,
    /// `gateway_hedges_total{route,outcome}`
    pub hedges: Family<Counter>,
    /// `gateway_split_requests_total{route,upstream}`
    pub split: Family<Counter>,
    /// `gateway_mirror_requests_total{route,result}`
    pub mirrored: Family<Counter>,
}

impl Http {
    /// All at zero.
    pub(super) fn declare(registry: &Registry) -> Self {
        Self {
            requests: family(
                registry,
                "gateway_http_requests_total",
                "Requests answered, by route, method and status code.",
                &["route", "method", "code"],
            ),
            duration: family(
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
            retries: family(
                registry,
                "gateway_retries_total",
                "Attempts after the first, by what made them necessary.",
                &["route", "reason"],
            ),
            retry_budget_exhausted: family(
                registry,
                "gateway_retry_budget_exhausted_total",
                "Retries and hedges that were not made because the route's budget was spent.",
                &["route"],
            ),
            hedges: family(
                registry,
                "gateway_hedges_total",
                "Attempts made beside a slow one, by whether theirs was the answer.",
                &["route", "outcome"],
            ),
            split: family(
                registry,
                "gateway_split_requests_total",
                "Requests of a route that is split, by the upstream chosen.",
                &["route", "upstream"],
            ),
            mirrored: family(
                registry,
                "gateway_mirror_requests_total",
                "Copies of requests to a second upstream, by what became of them.",
                &["route", "result"],
            ),
        }
    }
}
