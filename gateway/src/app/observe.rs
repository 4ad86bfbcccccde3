//! What the floors below report, as metrics and log events. The names of the events are part of `docs/operations.md`.

use std::sync::Arc;

use super::common::Common;
use super::endpoints;
use super::live::Live;
use crate::admin::Board;
use crate::breaker::{Breaker, Hook, Transition};
use crate::cache::Usage;
use crate::config::Config;
use crate::limiter::{Decision, Shared};
use crate::policy::circuit::State;
use crate::policy::ids::{ReplicaId, UpstreamName};
use crate::store::{Observer, Op, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{Family, Gauge};

/// How a call to a shared store fails where nothing is configured wrongly.
const REMOTE: [StoreError; 8] = [
    StoreError::Down,
    StoreError::Overloaded,
    StoreError::Timeout,
    StoreError::Unreachable,
    StoreError::Disconnected,
    StoreError::Loading,
    StoreError::Refusing,
    StoreError::Unexpected,
];

/// Counts every call to the store.
pub(super) fn store(metrics: &Arc<Metrics>) -> Observer {
    let durations = Op::ALL.map(|op| metrics.store.duration.with(&[op.label()]));
    let operations = metrics.store.operations.clone();
    // From the start: a counter that begins with the first failure shows no increase by it.
    for (op, error) in Op::ALL
        .iter()
        .flat_map(|op| REMOTE.map(|error| (op, error)))
    {
        let _ = operations.with(&[op.label(), error.label()]);
    }
    // Held, because a call that succeeds may be part of a request; only failures are looked up.
    let succeeded = Op::ALL.map(|op| operations.with(&[op.label(), "ok"]));
    Arc::new(move |op, result, elapsed| {
        durations[op as usize].observe(elapsed);
        match result {
            "ok" => succeeded[op as usize].inc(),
            failed => operations.with(&[op.label(), failed]).inc(),
        }
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
                    .limits
                    .decisions
                    .with(&[policy, decision.label()])
                    .set(count);
            }
            for (by, count) in totals.local() {
                metrics
                    .limits
                    .local_decisions
                    .with(&[policy, by])
                    .set(count);
            }
            let fates = [
                ("leased", totals.leased),
                ("given_back", totals.given_back),
                ("lost", totals.lost),
            ];
            for (fate, count) in fates {
                metrics.limits.lease_tokens.with(&[policy, fate]).set(count);
            }
        }
    });
}

/// Copies what the cache holds before each scrape.
pub(super) fn cache(metrics: &Metrics, cache: Usage) {
    metrics.add_source(move |metrics| {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.cache.bytes.set(whole(cache.bytes()));
        metrics.cache.entries.set(whole(cache.entries() as u64));
        metrics.cache.evictions.set(cache.evictions());
    });
}

/// Shows how full the upstreams with a limit are.
pub(super) fn concurrency(live: &Live, metrics: &Metrics) {
    let live = live.clone();
    metrics.add_source(move |metrics| {
        for (upstream, concurrency) in live.get().proxies.limited() {
            let labels = [upstream.as_str()];
            let set = |gauge: &Family<Gauge>, value| gauge.with(&labels).set(i64::from(value));
            set(&metrics.upstreams.in_flight, concurrency.held());
            set(&metrics.upstreams.queued, concurrency.waiting());
            set(&metrics.upstreams.concurrency_limit, concurrency.limit());
        }
    });
}

const STATES: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

/// The circuits, with every transition counted, logged and shown at once.
pub(super) fn breaker(
    config: &Config,
    replica: &ReplicaId,
    metrics: &Metrics,
    board: &Arc<Board>,
) -> Arc<Breaker> {
    let board = Arc::clone(board);
    let upstreams = config
        .upstreams
        .iter()
        .map(|one| (one.name.clone(), one.circuit.clone()));
    let state = metrics.circuits.state.clone();
    let transitions = metrics.circuits.transitions.clone();
    for upstream in &config.upstreams {
        begin(metrics, &upstream.name);
    }
    let hook: Hook = Arc::new(move |upstream, moved| {
        let upstream = upstream.as_str();
        let shown = state.with(&[upstream]);
        // Both views may move at once; what counts is what this replica lets through.
        let before = STATES
            .into_iter()
            .find(|one| i64::from(one.number()) == shown.get());
        shown.set(i64::from(moved.effective.number()));
        if let Some(before) = before.filter(|before| *before != moved.effective) {
            transitions
                .with(&[upstream, before.label(), moved.effective.label()])
                .inc();
        }
        tell(upstream, moved);
        board.wake();
    });
    Arc::new(Breaker::new(
        upstreams.collect(),
        replica,
        config.store.heartbeat,
        &hook,
    ))
}

/// A circuit's series from the start and not from the first event on, or the first would be no increase.
fn begin(metrics: &Metrics, upstream: &UpstreamName) {
    let upstream = upstream.as_str();
    metrics.circuits.state.with(&[upstream]).set(0);
    for (from, to) in STATES.iter().flat_map(|from| STATES.map(|to| (*from, to))) {
        if from != to {
            let labels = [upstream, from.label(), to.label()];
            let _ = metrics.circuits.transitions.with(&labels);
        }
    }
}

/// What another configuration changes in what is exposed: upstreams that come, and upstreams that go.
pub(super) fn exchange(metrics: &Metrics, before: &Common, after: &Common) {
    let is_in = |common: &Common, name| common.breaker.circuit(name).is_some();
    for upstream in &after.config.upstreams {
        if !is_in(before, &upstream.name) {
            begin(metrics, &upstream.name);
        }
    }
    for upstream in &before.config.upstreams {
        if !is_in(after, &upstream.name) {
            let labels = [upstream.name.as_str()];
            metrics.circuits.state.remove(&labels);
            metrics.upstreams.in_flight.remove(&labels);
            metrics.upstreams.queued.remove(&labels);
            metrics.upstreams.concurrency_limit.remove(&labels);
        }
    }
    endpoints::forget(metrics, &before.directory, &after.directory);
}

fn tell(upstream: &str, moved: &Transition) {
    let (scope, cause, by) = (moved.scope.label(), moved.cause.label(), &*moved.by);
    let (from, epoch) = (moved.from.label(), moved.epoch);
    if moved.from == moved.to {
        // It began anew where it was: a reset of one that was closed, say.
        let state = from;
        tracing::info!(
            event = "circuit_stays",
            upstream,
            scope,
            state,
            cause,
            by,
            epoch
        );
        return;
    }
    match moved.to {
        State::Open => {
            tracing::warn!(
                event = "circuit_opened",
                upstream,
                scope,
                from,
                cause,
                by,
                epoch
            );
        }
        State::HalfOpen => {
            tracing::info!(
                event = "circuit_half_open",
                upstream,
                scope,
                from,
                cause,
                by,
                epoch
            );
        }
        State::Closed => {
            tracing::info!(
                event = "circuit_closed",
                upstream,
                scope,
                from,
                cause,
                by,
                epoch
            );
        }
    }
}
