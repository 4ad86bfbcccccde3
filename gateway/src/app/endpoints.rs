//! What becomes of endpoints, as metrics, log events and views. The names of the events are part of `docs/operations.md`.
//!
//! Guarantees: a series of an endpoint that is gone goes too. Must not: decide how one fares.

use std::sync::Arc;

use super::live::Live;
use crate::admin::Board;
use crate::admin::report::EndpointView;
use crate::config::Config;
use crate::policy::ids::UpstreamName;
use crate::telemetry::metrics::Metrics;
use crate::upstream::{Change, Directory, Hook, MemberSnapshot, Standing};

/// The upstreams' endpoints, with every change counted, logged and shown at once.
pub(super) fn directory(
    config: &Config,
    metrics: &Arc<Metrics>,
    board: &Arc<Board>,
) -> Arc<Directory> {
    let board = Arc::clone(board);
    let families = (
        metrics.upstreams.endpoint_healthy.clone(),
        metrics.upstreams.endpoint_ejections.clone(),
        metrics.upstreams.endpoint_in_flight.clone(),
    );
    let hook: Hook = Arc::new(move |upstream, endpoint, change| {
        if let Change::Removed = change {
            let labels = [upstream.as_str(), endpoint];
            families.0.remove(&labels);
            families.1.remove(&labels);
            families.2.remove(&labels);
        }
        tell(upstream, endpoint, change);
        board.wake();
    });
    Directory::new(&config.upstreams, &hook)
}

/// Has the members in force copied before each scrape.
pub(super) fn expose_all(live: &Live, metrics: &Metrics) {
    let live = live.clone();
    metrics.add_source(move |metrics| expose(&live.get().directory, metrics));
}

/// Takes off what was exposed of endpoints that are no more.
pub(super) fn forget(metrics: &Metrics, before: &Directory, after: &Directory) {
    for membership in before.all().filter(|one| !after.holds(one)) {
        let upstream = membership.settings().name.as_str();
        membership.visit(|member| {
            let labels = [upstream, member.label()];
            metrics.upstreams.endpoint_healthy.remove(&labels);
            metrics.upstreams.endpoint_ejections.remove(&labels);
            metrics.upstreams.endpoint_in_flight.remove(&labels);
        });
    }
}

/// Copies what the members know before each scrape.
fn expose(directory: &Directory, metrics: &Metrics) {
    for membership in directory.all() {
        let upstream = membership.settings().name.as_str();
        membership.visit(|member| {
            let labels = [upstream, member.label()];
            let healthy = i64::from(member.standing() == Standing::Healthy);
            metrics
                .upstreams
                .endpoint_healthy
                .with(&labels)
                .set(healthy);
            let ejections = metrics.upstreams.endpoint_ejections.with(&labels);
            ejections.set(member.ejections());
            let in_flight = metrics.upstreams.endpoint_in_flight.with(&labels);
            in_flight.set(member.in_flight());
        });
    }
}

fn tell(upstream: &UpstreamName, endpoint: &str, change: &Change) {
    let upstream = upstream.as_str();
    match change {
        Change::Added => tracing::info!(event = "endpoint_added", upstream, endpoint),
        Change::Removed => tracing::info!(event = "endpoint_removed", upstream, endpoint),
        Change::Healthy => tracing::info!(event = "endpoint_healthy", upstream, endpoint),
        Change::Returned => tracing::info!(event = "endpoint_returned", upstream, endpoint),
        Change::Unhealthy(error) => {
            tracing::warn!(event = "endpoint_unhealthy", upstream, endpoint, %error);
        }
        Change::Ejected(span, error) => {
            tracing::warn!(event = "endpoint_ejected", upstream, endpoint, span = %span, %error);
        }
        Change::Unresolved(error) => {
            tracing::warn!(event = "endpoint_unresolved", upstream, endpoint, %error);
        }
    }
}

/// An endpoint as the API shows it.
pub(super) fn view(snapshot: MemberSnapshot) -> EndpointView {
    EndpointView {
        url: snapshot.url,
        weight: snapshot.weight,
        state: snapshot.standing.label().to_owned(),
        since: (snapshot.since > 0).then_some(snapshot.since),
        error: snapshot.error,
        in_flight: snapshot.in_flight,
        ejections: snapshot.ejections,
    }
}
