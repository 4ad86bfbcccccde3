//! Kept answers: how often they serve, and what keeping them costs. Must not: know who records.

use std::sync::Arc;

use prometheus::Registry;

use crate::telemetry::declare::{family, single};
use crate::telemetry::family::Family;
use crate::telemetry::series::{Counter, Gauge, Total};

/// Kept answers: how often they serve, and what keeping them costs.
#[derive(Debug)]
pub struct Cache {
    /// `gateway_cache_requests_total{route,result}`
    pub requests: Family<Counter>,
    /// `gateway_cache_bytes`
    pub bytes: Arc<Gauge>,
    /// `gateway_cache_entries`
    pub entries: Arc<Gauge>,
    /// `gateway_cache_evictions_total`
    pub evictions: Arc<Total>,
}

impl Cache {
    /// All at zero.
    pub(super) fn declare(registry: &Registry) -> Self {
        Self {
            requests: family(
                registry,
                "gateway_cache_requests_total",
                "Requests of routes that keep answers, by what became of them.",
                &["route", "result"],
            ),
            bytes: single(
                registry,
                "gateway_cache_bytes",
                "Bytes of answers kept in this process, with what it costs to keep them.",
            ),
            entries: single(
                registry,
                "gateway_cache_entries",
                "Answers kept in this process, and places for their variants.",
            ),
            evictions: single(
                registry,
                "gateway_cache_evictions_total",
                "Answers pushed out of this process's memory by others.",
            ),
        }
    }
}
