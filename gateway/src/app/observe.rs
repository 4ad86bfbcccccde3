//! What the floors below report, as metrics and log events. The names of the events are part of `docs/operations.md`.

use std::sync::Arc;

use crate::limiter::Decision;
use crate::limiter::Shared;
use crate::store::{Observer, Op};
use crate::telemetry::metrics::Metrics;

/// Counts every call to the store.
pub(super) fn store(metrics: &Arc<Metrics>) -> Observer {
    let durations = Op::ALL.map(|op| metrics.store_duration.with(&[op.label()]));
    let operations = metrics.store_operations.clone();
    Arc::new(move |op, result, elapsed| {
        durations[op as usize].observe(elapsed);
        operations.with(&[op.label(), result]).inc();
    })
}

/// Copies what the limiters count on their threads before each scrape.
pub(super) fn limits(metrics: &Metrics, shared: Arc<Shared>) {
    metrics.add_source(move |metrics| {
        for (policy, totals) in shared.totals() {
            let policy = policy.as_str();
            for decision in Decision::ALL {
                let count = totals.decisions(decision);
                metrics
                    .limit_decisions
                    .with(&[policy, decision.label()])
                    .set(count);
            }
            for (by, count) in totals.local() {
                metrics.limit_local.with(&[policy, by]).set(count);
            }
            let fates = [
                ("leased", totals.leased),
                ("given_back", totals.given_back),
                ("lost", totals.lost),
            ];
            for (fate, count) in fates {
                metrics.lease_tokens.with(&[policy, fate]).set(count);
            }
        }
    });
}

/// Provisional.
pub(super) fn breaker(
    _: &crate::config::Config,
    _: &crate::policy::ids::ReplicaId,
    _: &Metrics,
) -> Arc<crate::breaker::Breaker> {
    Arc::default()
}
