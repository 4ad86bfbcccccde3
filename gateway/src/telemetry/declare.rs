//! How a series becomes part of the exposition. Must not: know any of them.

use std::sync::Arc;

use prometheus::Registry;
use prometheus::core::Collector;

use super::family::{Family, Sample};

pub(super) fn family<M: Sample + 'static>(
    registry: &Registry,
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Family<M> {
    let family = Family::new(name, help, labels);
    register(registry, family.clone());
    family
}

pub(super) fn single<M: Sample + 'static>(
    registry: &Registry,
    name: &'static str,
    help: &'static str,
) -> Arc<M> {
    family::<M>(registry, name, help, &[]).with(&[])
}

/// Names are constants of `metrics/`; a clash is a mistake that `tests::everything_is_exposed` finds.
pub(super) fn register(registry: &Registry, collector: impl Collector + 'static) {
    let registered = registry.register(Box::new(collector));
    debug_assert!(registered.is_ok(), "{registered:?}");
}
