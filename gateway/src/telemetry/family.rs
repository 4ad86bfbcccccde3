//! A series with labels: one child for each combination of label values, made once and then held by whoever records.
//!
//! Guarantees: at most `MAX_CHILDREN` children; what comes after is counted in one child labelled `_other`, so that a
//! mistake in labelling cannot grow memory. Must not: be looked up per request; hold the child instead.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::core::{Collector, Desc};
use prometheus::proto;

use super::series::{Counter, Distribution, Durations, Gauge, Scale, Total};

/// The most label combinations one family holds.
const MAX_CHILDREN: usize = 50_000;

/// Something that can be exposed as a sample.
pub trait Sample: Default + Send + Sync {
    /// The Prometheus type of the family.
    const KIND: proto::MetricType;

    /// The current value.
    fn write(&self, metric: &mut proto::Metric);
}

impl Sample for Counter {
    const KIND: proto::MetricType = proto::MetricType::COUNTER;

    fn write(&self, metric: &mut proto::Metric) {
        let mut value = proto::Counter::default();
        value.set_value(self.get() as f64);
        metric.set_counter(value);
    }
}

impl Sample for Total {
    const KIND: proto::MetricType = proto::MetricType::COUNTER;

    fn write(&self, metric: &mut proto::Metric) {
        let mut value = proto::Counter::default();
        value.set_value(self.get() as f64);
        metric.set_counter(value);
    }
}

impl Sample for Gauge {
    const KIND: proto::MetricType = proto::MetricType::GAUGE;

    fn write(&self, metric: &mut proto::Metric) {
        let mut value = proto::Gauge::default();
        value.set_value(self.get() as f64);
        metric.set_gauge(value);
    }
}

impl<S: Scale> Sample for Durations<S> {
    const KIND: proto::MetricType = proto::MetricType::HISTOGRAM;

    fn write(&self, metric: &mut proto::Metric) {
        let Distribution { buckets, sum } = self.get();
        let mut count = 0;
        let cumulative = S::SECONDS.iter().zip(buckets).map(|(bound, hits)| {
            count += hits;
            let mut bucket = proto::Bucket::default();
            bucket.set_cumulative_count(count);
            bucket.set_upper_bound(*bound);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(cumulative.collect());
        histogram.set_sample_count(buckets.iter().sum());
        histogram.set_sample_sum(sum);
        metric.set_histogram(histogram);
    }
}

#[derive(Debug)]
struct Inner<M> {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    desc: Option<Desc>,
    children: RwLock<BTreeMap<Vec<String>, Arc<M>>>,
}

/// A labelled series; a cheap handle.
#[derive(Debug)]
pub struct Family<M>(Arc<Inner<M>>);

impl<M> Clone for Family<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Sample> Family<M> {
    pub(super) fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        let variable = labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Desc::new(
            name.to_owned(),
            help.to_owned(),
            variable,
            Default::default(),
        )
        .ok();
        Self(Arc::new(Inner {
            name,
            help,
            labels,
            desc,
            children: RwLock::default(),
        }))
    }

    /// The child with these label values, made on first use. The number of values is the number of labels.
    #[must_use]
    pub fn with(&self, values: &[&str]) -> Arc<M> {
        debug_assert_eq!(values.len(), self.0.labels.len(), "{}", self.0.name);
        let key: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let mut children = self
            .0
            .children
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let key = if children.len() < MAX_CHILDREN || children.contains_key(&key) {
            key
        } else {
            vec!["_other".to_owned(); self.0.labels.len()]
        };
        Arc::clone(children.entry(key).or_default())
    }

    /// Forgets the child with these label values, because what they name is gone.
    pub fn remove(&self, values: &[&str]) {
        let key: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let mut children = self
            .0
            .children
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        children.remove(&key);
    }

    /// Every child with its label values.
    #[must_use]
    pub fn children(&self) -> Vec<(Vec<String>, Arc<M>)> {
        let children = self
            .0
            .children
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        children
            .iter()
            .map(|(labels, child)| (labels.clone(), Arc::clone(child)))
            .collect()
    }
}

impl<M: Sample> Collector for Family<M> {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let metrics: Vec<_> = self
            .children()
            .into_iter()
            .map(|(values, child)| {
                let pairs = self.0.labels.iter().zip(values).map(|(name, value)| {
                    let mut pair = proto::LabelPair::default();
                    pair.set_name((*name).to_owned());
                    pair.set_value(value);
                    pair
                });
                let mut metric = proto::Metric::from_label(pairs.collect());
                child.write(&mut metric);
                metric
            })
            .collect();
        if metrics.is_empty() {
            return Vec::new();
        }
        let mut family = proto::MetricFamily::default();
        family.set_name(self.0.name.to_owned());
        family.set_help(self.0.help.to_owned());
        family.set_field_type(M::KIND);
        family.set_metric(metrics);
        vec![family]
    }
}
