//! Circuits, as this replica sees them. Must not: know who records.

use prometheus::Registry;

use crate::telemetry::declare::family;
use crate::telemetry::family::Family;
use crate::telemetry::series::{Counter, Gauge};

/// Circuits, as this replica sees them.
#[derive(Debug)]
pub struct Circuits {
    /// `gateway_circuit_breaker_state{upstream}`
    pub state: Family<Gauge>,
    /// `gateway_circuit_breaker_transitions_total{upstream,from,to}`
    pub transitions: Family<Counter>,
    /// `gateway_circuit_breaker_rejections_total{upstream}`
    pub rejections: Family<Counter>,
}

impl Circuits {
    /// All at zero.
    pub(super) fn declare(registry: &Registry) -> Self {
        Self {
            state: family(
                registry,
                "gateway_circuit_breaker_state",
                "State as this replica sees it: 0 closed, 1 half-open, 2 open.",
                &["upstream"],
            ),
            transitions: family(
                registry,
                "gateway_circuit_breaker_transitions_total",
                "Changes of state as this replica saw them.",
                &["upstream", "from", "to"],
            ),
            rejections: family(
                registry,
                "gateway_circuit_breaker_rejections_total",
                "Requests refused because the circuit was open.",
                &["upstream"],
            ),
        }
    }
}
