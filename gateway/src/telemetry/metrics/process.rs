//! The process itself: its build, its configuration, what it could not tell. Must not: know who records.

use std::sync::Arc;

use prometheus::Registry;

use crate::telemetry::declare::{family, single};
use crate::telemetry::family::Family;
use crate::telemetry::series::{Counter, Gauge};

/// The process itself: its build, its configuration, what it could not tell.
#[derive(Debug)]
pub struct Process {
    /// `gateway_config_reloads_total{result}`
    pub config_reloads: Family<Counter>,
    /// `gateway_config_last_reload_success_timestamp_seconds`
    pub config_loaded_at: Arc<Gauge>,
    /// `gateway_trace_spans_dropped_total`
    pub trace_spans_dropped: Arc<Counter>,
    /// `gateway_log_lines_dropped_total`
    pub log_lines_dropped: Arc<Counter>,
}

impl Process {
    /// All at zero.
    pub(super) fn declare(registry: &Registry) -> Self {
        build(registry);
        Self {
            config_reloads: reloads(registry),
            config_loaded_at: single(
                registry,
                "gateway_config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read, in seconds since 1970.",
            ),
            trace_spans_dropped: single(
                registry,
                "gateway_trace_spans_dropped_total",
                "Spans dropped because the collector of traces was too slow or away.",
            ),
            log_lines_dropped: single(
                registry,
                "gateway_log_lines_dropped_total",
                "Log lines dropped because the reader of the log was too slow.",
            ),
        }
    }
}

/// Which build runs. `build.rs` says where the revision comes from.
fn build(registry: &Registry) {
    let build = family::<Gauge>(
        registry,
        "gateway_build_info",
        "The running build; always 1.",
        &["version", "revision"],
    );
    build
        .with(&[env!("CARGO_PKG_VERSION"), env!("GATEWAY_REVISION")])
        .set(1);
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
