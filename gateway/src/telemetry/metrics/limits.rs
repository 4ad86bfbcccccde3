//! What limits decide, and how often without asking the store. Must not: know who records.

use prometheus::Registry;

use crate::telemetry::declare::family;
use crate::telemetry::family::Family;
use crate::telemetry::series::Total;

/// What limits decide, and how often without asking the store.
#[derive(Debug)]
pub struct Limits {
    /// `gateway_rate_limit_decisions_total{policy,decision}`
    pub decisions: Family<Total>,
    /// `gateway_rate_limit_local_decisions_total{policy,by}`
    pub local_decisions: Family<Total>,
    /// `gateway_rate_limit_lease_tokens_total{policy,fate}`
    pub lease_tokens: Family<Total>,
}

impl Limits {
    /// All at zero.
    pub(super) fn declare(registry: &Registry) -> Self {
        Self {
            decisions: family(
                registry,
                "gateway_rate_limit_decisions_total",
                "Decisions of a limit.",
                &["policy", "decision"],
            ),
            local_decisions: family(
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
        }
    }
}
