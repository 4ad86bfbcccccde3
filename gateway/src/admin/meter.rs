//! From counters that only grow to what happens per second.
//!
//! Guarantees: reads each series once a tick, never on a request's way; a rate spans the last [`RATE_SPAN`] ticks, a duration the last
//! [`LATENCY_SPAN`]. Must not: keep more than that.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::latency::Latency;
use super::report::{LimitView, Report, Traffic};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{CALL_BOUNDS, Counter, Distribution, Durations, Family, Scale};

/// Ticks a rate is taken over: fewer would flicker, more would lag.
const RATE_SPAN: usize = 2;
/// Ticks a distribution is taken over: a quantile of a few requests says nothing.
const LATENCY_SPAN: usize = 10;
/// The least time between two ticks; a report that is wanted sooner has the last one's rates.
const LEAST_SPAN: Duration = Duration::from_millis(500);
/// What the gateway answers itself, for probes and scrapers: not traffic.
const LOCAL: [&str; 2] = ["health", "metrics"];

/// What something counted so far.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: u64,
    failed: u64,
    refused: u64,
    durations: Distribution,
}

/// Everything counted at one moment.
#[derive(Debug)]
struct Sample {
    at: Instant,
    routes: BTreeMap<String, Counts>,
    upstreams: BTreeMap<String, Counts>,
    rejected: BTreeMap<String, u64>,
    store: Counts,
    limits: BTreeMap<String, BTreeMap<String, u64>>,
}

/// The last samples, the newest first.
#[derive(Debug, Default)]
pub struct Meter(VecDeque<Sample>);

impl Meter {
    /// Reads the counters, and fills in what a report says about rates; its names are there already.
    pub fn measure(&mut self, metrics: &Metrics, report: &mut Report) {
        let last = self.0.front().map(|sample| sample.at.elapsed());
        if last.is_none_or(|age| age >= LEAST_SPAN) {
            self.0.truncate(LATENCY_SPAN);
            self.0.push_front(sample(metrics, &report.limits));
        }
        let (Some(now), Some(recent), Some(old)) = (
            self.0.front(),
            self.0.get(RATE_SPAN).or(self.0.back()),
            self.0.back(),
        ) else {
            return;
        };
        let span = Span { now, recent, old };
        span.routes(metrics, report);
        span.upstreams(report);
        span.store(report);
        for limit in &mut report.limits {
            span.limit(limit);
        }
    }
}

/// Three moments: now, that of rates, that of durations.
struct Span<'a> {
    now: &'a Sample,
    recent: &'a Sample,
    old: &'a Sample,
}

impl Span<'_> {
    fn per_second(&self, now: u64, then: u64) -> f64 {
        let elapsed = self.now.at.duration_since(self.recent.at).as_secs_f64();
        if elapsed <= 0.0 {
            return 0.0;
        }
        now.saturating_sub(then) as f64 / elapsed
    }

    fn routes(&self, metrics: &Metrics, report: &mut Report) {
        let in_flight: BTreeMap<String, i64> = gauge(metrics);
        for (name, now) in &self.now.routes {
            if LOCAL.contains(&name.as_str()) {
                continue;
            }
            let mut traffic =
                self.traffic(now, self.recent.routes.get(name), self.old.routes.get(name));
            traffic.in_flight = in_flight.get(name).copied().unwrap_or(0);
            report.traffic.add(&traffic);
            if let Some(route) = report.routes.iter_mut().find(|one| one.name == *name) {
                route.traffic = traffic;
            }
        }
        // A circuit refuses with a 503, which is no error of anybody's.
        let now: u64 = self.now.rejected.values().sum();
        let then: u64 = self.recent.rejected.values().sum();
        let refused = self.per_second(now, then);
        report.traffic.refusals += refused;
        report.traffic.errors = (report.traffic.errors - refused).max(0.0);
    }

    fn traffic(&self, now: &Counts, recent: Option<&Counts>, old: Option<&Counts>) -> Traffic {
        let (recent, old) = (
            recent.copied().unwrap_or_default(),
            old.copied().unwrap_or_default(),
        );
        Traffic {
            requests: self.per_second(now.all, recent.all),
            errors: self.per_second(now.failed, recent.failed),
            refusals: self.per_second(now.refused, recent.refused),
            in_flight: 0,
            latency: Latency::from(&now.durations.since(&old.durations)),
        }
    }

    fn upstreams(&self, report: &mut Report) {
        for upstream in &mut report.upstreams {
            let of = |sample: &Sample| {
                sample
                    .upstreams
                    .get(&upstream.name)
                    .copied()
                    .unwrap_or_default()
            };
            let (now, recent, old) = (of(self.now), of(self.recent), of(self.old));
            upstream.attempts = self.per_second(now.all, recent.all);
            upstream.failures = self.per_second(now.failed, recent.failed);
            upstream.latency = Latency::from(&now.durations.since(&old.durations));
        }
        for circuit in &mut report.circuits {
            let of = |sample: &Sample| sample.rejected.get(&circuit.upstream).copied().unwrap_or(0);
            circuit.rejections = self.per_second(of(self.now), of(self.recent));
        }
    }

    fn store(&self, report: &mut Report) {
        let (now, recent, old) = (self.now.store, self.recent.store, self.old.store);
        report.store.calls = self.per_second(now.all, recent.all);
        report.store.failures = self.per_second(now.failed, recent.failed);
        let durations = now.durations.since(&old.durations);
        report.store.latency = Latency::of(&durations, &CALL_BOUNDS);
    }

    fn limit(&self, limit: &mut LimitView) {
        let rate = |names: &[&str]| -> f64 {
            let sum = |sample: &Sample| -> u64 {
                let totals = sample.limits.get(&limit.name);
                let counts = names.iter().filter_map(|name| totals?.get(*name));
                counts.sum()
            };
            self.per_second(sum(self.now), sum(self.recent))
        };
        limit.granted = rate(&["granted", "degraded_granted"]);
        limit.denied = rate(&["denied", "degraded_denied", "shadow_denied"]);
        limit.local = rate(&["by_lease", "by_denial_memory"]);
        limit.asked = rate(&["store_calls"]);
    }
}

fn sample(metrics: &Metrics, limits: &[LimitView]) -> Sample {
    let mut routes = BTreeMap::<String, Counts>::new();
    for (labels, counter) in metrics.http.requests.children() {
        let [route, _, code] = &labels[..] else {
            continue;
        };
        let (counts, count) = (routes.entry(route.clone()).or_default(), counter.get());
        counts.all += count;
        counts.failed += if code.starts_with('5') { count } else { 0 };
        counts.refused += if code == "429" { count } else { 0 };
    }
    add_durations(&mut routes, &metrics.http.duration);
    let mut upstreams = by_outcome(&metrics.upstreams.requests, "success");
    add_durations(&mut upstreams, &metrics.upstreams.duration);
    let mut store = by_outcome(&metrics.store.operations, "ok");
    add_durations(&mut store, &metrics.store.duration);
    let rejected = metrics.circuits.rejections.children().into_iter();
    Sample {
        at: Instant::now(),
        routes,
        upstreams,
        rejected: rejected
            .filter_map(|(labels, counter)| Some((labels.into_iter().next()?, counter.get())))
            .collect(),
        store: store.into_values().fold(Counts::default(), Counts::and),
        limits: limits
            .iter()
            .map(|limit| (limit.name.clone(), limit.totals.clone()))
            .collect(),
    }
}

/// Counts by the first label; the second says how it went.
fn by_outcome(family: &Family<Counter>, good: &str) -> BTreeMap<String, Counts> {
    let mut all = BTreeMap::<String, Counts>::new();
    for (labels, counter) in family.children() {
        let [name, outcome] = &labels[..] else {
            continue;
        };
        let (counts, count) = (all.entry(name.clone()).or_default(), counter.get());
        counts.all += count;
        counts.failed += if outcome == good { 0 } else { count };
    }
    all
}

fn add_durations<S: Scale>(counts: &mut BTreeMap<String, Counts>, family: &Family<Durations<S>>) {
    for (labels, histogram) in family.children() {
        if let Some(name) = labels.into_iter().next() {
            counts.entry(name).or_default().durations = histogram.get();
        }
    }
}

fn gauge(metrics: &Metrics) -> BTreeMap<String, i64> {
    let children = metrics.http.in_flight.children().into_iter();
    children
        .filter_map(|(labels, gauge)| Some((labels.into_iter().next()?, gauge.get())))
        .collect()
}

impl Counts {
    fn and(mut self, other: Self) -> Self {
        self.all += other.all;
        self.failed += other.failed;
        self.refused += other.refused;
        for (mine, theirs) in self
            .durations
            .buckets
            .iter_mut()
            .zip(other.durations.buckets)
        {
            *mine += theirs;
        }
        self.durations.sum += other.durations.sum;
        self
    }
}
