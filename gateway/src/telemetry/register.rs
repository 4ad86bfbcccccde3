//! How a series comes to be exposed. Must not: name one.

use std::sync::Arc;

use prometheus::Registry;
use prometheus::core::Collector;

use super::family::{Family, Sample};

/// A family of series, told apart by `labels`.
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

/// A series without labels.
pub(super) fn single<M: Sample + 'static>(
    registry: &Registry,
    name: &'static str,
    help: &'static str,
) -> Arc<M> {
    family::<M>(registry, name, help, &[]).with(&[])
}

/// Names are constants; a clash is a mistake that the test of [`super::metrics`] finds.
pub(super) fn register(registry: &Registry, collector: impl Collector + 'static) {
    let registered = registry.register(Box::new(collector));
    debug_assert!(registered.is_ok(), "{registered:?}");
}
