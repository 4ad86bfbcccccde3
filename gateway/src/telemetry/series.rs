//! Counters, gauges and histograms, one cell per data-plane thread, added up when they are read.
//!
//! Why not the plain atomics of the `prometheus` crate: every thread would write the same cache line for every request. Here
//! a thread writes lines of its own; only a scrape touches them all. Must not: have labels (that is [`super::family`]).

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Cells a series has: more threads than this share cells, which costs speed and nothing else.
const SHARDS: usize = 8;

/// Bounds a histogram has.
const BUCKETS: usize = 14;

/// Upper bounds in seconds, those of OpenTelemetry's HTTP semantic conventions.
pub const BOUNDS: [f64; BUCKETS] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

const BOUNDS_MICROS: [u64; BUCKETS] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
    2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

/// Upper bounds in seconds of what takes a network's round trip and has a deadline of some milliseconds.
pub const CALL_BOUNDS: [f64; BUCKETS] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.05, 0.1, 0.25, 1.0,
];

const CALL_BOUNDS_MICROS: [u64; BUCKETS] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 15_000, 20_000, 25_000, 50_000, 100_000, 250_000,
    1_000_000,
];

/// What a histogram's buckets are.
pub trait Scale: Default + Send + Sync {
    /// The upper bounds in seconds.
    const SECONDS: [f64; BUCKETS];
    /// The same in microseconds.
    const MICROS: [u64; BUCKETS];
}

/// [`BOUNDS`]: requests.
#[derive(Debug, Default)]
pub struct Requests;

impl Scale for Requests {
    const SECONDS: [f64; BUCKETS] = BOUNDS;
    const MICROS: [u64; BUCKETS] = BOUNDS_MICROS;
}

/// [`CALL_BOUNDS`]: calls of the store.
#[derive(Debug, Default)]
pub struct Calls;

impl Scale for Calls {
    const SECONDS: [f64; BUCKETS] = CALL_BOUNDS;
    const MICROS: [u64; BUCKETS] = CALL_BOUNDS_MICROS;
}

thread_local! {
    static SHARD: Cell<usize> = const { Cell::new(0) };
}

/// Gives the calling thread the cells number `index`, modulo the number there are. Threads that never call it use cell 0.
pub fn enter_shard(index: usize) {
    SHARD.set(index % SHARDS);
}

/// A cache line of its own, and its neighbour, which the processor fetches with it.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Line<T>(T);

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter([Line<AtomicU64>; SHARDS]);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0[SHARD.get()].0.fetch_add(count, Ordering::Relaxed);
    }

    /// The sum of all cells.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0
            .iter()
            .map(|line| line.0.load(Ordering::Relaxed))
            .sum()
    }
}

/// A count that is kept elsewhere and copied here before each scrape.
#[derive(Debug, Default)]
pub struct Total(AtomicU64);

impl Total {
    /// Takes over the count so far.
    pub fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// The count last taken over.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge([Line<AtomicI64>; SHARDS]);

impl Gauge {
    /// Adds `delta`, which may be negative.
    pub fn add(&self, delta: i64) {
        self.0[SHARD.get()].0.fetch_add(delta, Ordering::Relaxed);
    }

    /// Replaces the value. For gauges that one thread owns; never mixed with [`Self::add`].
    pub fn set(&self, value: i64) {
        self.0[0].0.store(value, Ordering::Relaxed);
    }

    /// The sum of all cells.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0
            .iter()
            .map(|line| line.0.load(Ordering::Relaxed))
            .sum()
    }
}

#[derive(Debug, Default)]
struct Cells {
    buckets: [AtomicU64; BUCKETS + 1],
    sum_micros: AtomicU64,
}

/// A distribution of durations, over the buckets of a scale.
#[derive(Debug, Default)]
pub struct Durations<S>([Line<Cells>; SHARDS], PhantomData<S>);

/// How long requests took.
pub type Histogram = Durations<Requests>;

/// How long calls took that are expected to take less than a few milliseconds.
pub type CallHistogram = Durations<Calls>;

/// A histogram added up.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Distribution {
    /// Observations per bucket, not cumulative; the last is beyond the last bound.
    pub buckets: [u64; BUCKETS + 1],
    /// Sum of all observations, in seconds.
    pub sum: f64,
}

impl Distribution {
    /// What was observed after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut buckets = self.buckets;
        for (now, then) in buckets.iter_mut().zip(earlier.buckets) {
            *now = now.saturating_sub(then);
        }
        Self {
            buckets,
            sum: (self.sum - earlier.sum).max(0.0),
        }
    }
}

impl<S: Scale> Durations<S> {
    /// Counts one duration.
    pub fn observe(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = S::MICROS.partition_point(|bound| *bound < micros);
        let cells = &self.0[SHARD.get()].0;
        cells.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        cells.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// All cells added up.
    #[must_use]
    pub fn get(&self) -> Distribution {
        let mut buckets = [0; BUCKETS + 1];
        let mut micros = 0_u64;
        for Line(cells) in &self.0 {
            for (total, cell) in buckets.iter_mut().zip(&cells.buckets) {
                *total += cell.load(Ordering::Relaxed);
            }
            micros = micros.wrapping_add(cells.sum_micros.load(Ordering::Relaxed));
        }
        Distribution {
            buckets,
            sum: micros as f64 / 1e6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up() {
        let counter = Counter::default();
        let gauge = Gauge::default();
        std::thread::scope(|scope| {
            for index in 0..20 {
                let (counter, gauge) = (&counter, &gauge);
                scope.spawn(move || {
                    enter_shard(index);
                    counter.add(5);
                    gauge.add(if index % 2 == 0 { 1 } else { -1 });
                });
            }
        });
        assert_eq!((counter.get(), gauge.get()), (100, 0));
    }

    #[test]
    fn a_duration_on_a_bound_belongs_below_it() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(5));
        histogram.observe(Duration::from_micros(5_001));
        histogram.observe(Duration::from_secs(60));
        let Distribution { buckets, sum } = histogram.get();
        assert_eq!((buckets[0], buckets[1], buckets[14]), (1, 1, 1));
        assert!((sum - 60.010_001).abs() < 1e-9);
    }

    #[test]
    fn the_two_tables_of_bounds_agree() {
        let bounds = BOUNDS.iter().zip(BOUNDS_MICROS);
        for (seconds, micros) in bounds.chain(CALL_BOUNDS.iter().zip(CALL_BOUNDS_MICROS)) {
            assert_eq!((seconds * 1e6).round() as u64, micros);
        }
    }

    #[test]
    fn a_call_of_the_store_is_told_from_one_ten_times_as_long() {
        let histogram = CallHistogram::default();
        histogram.observe(Duration::from_micros(90));
        histogram.observe(Duration::from_micros(900));
        histogram.observe(Duration::from_millis(19));
        let Distribution { buckets, .. } = histogram.get();
        assert_eq!((buckets[0], buckets[3], buckets[8]), (1, 1, 1));
    }
}
