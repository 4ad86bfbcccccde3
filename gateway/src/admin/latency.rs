//! How long things took, in a form that can be added up over replicas.
//!
//! Guarantees: quantiles of a sum are those of all observations together, to within a bucket. Must not: average quantiles.

use serde::{Deserialize, Serialize};

use crate::telemetry::{BOUNDS, Distribution};

/// Observations per bucket, the last beyond all bounds, and quantiles in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Observations per bucket, not cumulative.
    pub buckets: Vec<u64>,
    /// The buckets' upper bounds in seconds; none for [`BOUNDS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<f64>,
    /// Sum of all, in seconds.
    pub sum: f64,
    /// The median; none without observations.
    pub p50: Option<f64>,
    /// Nineteen of twenty were at most this.
    pub p95: Option<f64>,
    /// Ninety-nine of a hundred were at most this.
    pub p99: Option<f64>,
}

impl From<&Distribution> for Latency {
    fn from(from: &Distribution) -> Self {
        let mut latency = Self {
            buckets: from.buckets.to_vec(),
            sum: from.sum,
            ..Self::default()
        };
        latency.find_quantiles();
        latency
    }
}

impl Latency {
    /// What was observed over other buckets than the usual ones.
    #[must_use]
    pub fn of(from: &Distribution, bounds: &[f64]) -> Self {
        let mut latency = Self {
            bounds: bounds.to_vec(),
            ..Self::from(from)
        };
        latency.find_quantiles();
        latency
    }

    /// Adds what another saw; not when it has other buckets, as a replica of another version may.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.bounds.clone_from(&other.bounds);
        } else if self.bounds != other.bounds {
            return;
        }
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine = mine.saturating_add(*theirs);
        }
        self.sum += other.sum;
        self.find_quantiles();
    }

    fn find_quantiles(&mut self) {
        self.p50 = self.quantile(0.5);
        self.p95 = self.quantile(0.95);
        self.p99 = self.quantile(0.99);
    }

    /// As Prometheus does it: linear within the bucket, the last bound beyond it. In milliseconds.
    fn quantile(&self, share: f64) -> Option<f64> {
        let all: u64 = self.buckets.iter().sum();
        let rank = share * all as f64;
        let bounds = if self.bounds.is_empty() {
            &BOUNDS[..]
        } else {
            &self.bounds
        };
        let (mut below, mut lower) = (0.0, 0.0);
        for (index, hits) in self.buckets.iter().enumerate() {
            let hits = *hits as f64;
            let Some(upper) = bounds.get(index) else {
                break;
            };
            if hits > 0.0 && below + hits >= rank {
                let within = ((rank - below) / hits).clamp(0.0, 1.0);
                return Some((lower + (upper - lower) * within) * 1e3);
            }
            below += hits;
            lower = *upper;
        }
        (all > 0).then_some(lower * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::Histogram;

    fn of(millis: impl IntoIterator<Item = u64>) -> Latency {
        let histogram = Histogram::default();
        millis
            .into_iter()
            .for_each(|one| histogram.observe(Duration::from_millis(one)));
        Latency::from(&histogram.get())
    }

    #[test]
    fn quantiles_of_a_sum_are_those_of_all() {
        assert_eq!(Latency::default().p50, None);
        let mut sum = of(std::iter::repeat_n(1, 90));
        sum.add(&of(std::iter::repeat_n(80, 10)));
        let (p50, p95) = (sum.p50.unwrap(), sum.p95.unwrap());
        assert!(p50 < 5.0, "{p50}");
        assert!((75.0..=100.0).contains(&p95), "{p95}");
        assert_eq!(of([60_000]).p99, Some(10_000.0));
    }
}
