//! The shared store, and who shares it. Must not: know who records.

use std::sync::Arc;

use prometheus::Registry;

use crate::telemetry::declare::{family, single};
use crate::telemetry::family::Family;
use crate::telemetry::series::{CallHistogram, Counter, Gauge};

/// The shared store, and who shares it.
#[derive(Debug)]
pub struct Store {
    /// `gateway_store_up`
    pub up: Arc<Gauge>,
    /// `gateway_store_operations_total{op,result}`
    pub operations: Family<Counter>,
    /// `gateway_store_operation_duration_seconds{op}`
    pub duration: Family<CallHistogram>,
    /// `gateway_replicas`
    pub replicas: Arc<Gauge>,
}

impl Store {
    /// All at zero.
    pub(super) fn declare(registry: &Registry) -> Self {
        Self {
            up: single(
                registry,
                "gateway_store_up",
                "1 while the shared store answers, else 0.",
            ),
            operations: family(
                registry,
                "gateway_store_operations_total",
                "Calls to the store, by result.",
                &["op", "result"],
            ),
            duration: family(
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
        }
    }
}
