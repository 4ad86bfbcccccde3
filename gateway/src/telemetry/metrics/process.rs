//! The process itself: its build, its configuration, what it could not tell. Must not: know who records.

use std::sync::Arc;

use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto;

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

/// What the system knows of the process. The crate's collector has the time of processors in whole seconds, which is too coarse for the
/// time of a request.
pub(super) struct System(ProcessCollector);

impl System {
    pub(super) fn new() -> Self {
        Self(ProcessCollector::for_self())
    }
}

impl Collector for System {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let mut families = self.0.collect();
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let spent = spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9;
        let mut counter = proto::Counter::default();
        counter.set_value(spent);
        let mut metric = proto::Metric::from_label(Vec::new());
        metric.set_counter(counter);
        let of_cpu = |one: &&mut proto::MetricFamily| one.name() == "process_cpu_seconds_total";
        if let Some(family) = families.iter_mut().find(of_cpu) {
            family.set_metric(vec![metric]);
        }
        families
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn the_time_of_processors_is_finer_than_seconds() {
        let spent = || {
            let text = Metrics::new().render();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
            line.unwrap().parse::<f64>().unwrap()
        };
        let first = spent();
        let next = std::iter::repeat_with(spent).find(|now| *now > first);
        assert!(first > 0.0 && next < Some(first + 1.0));
    }
}
