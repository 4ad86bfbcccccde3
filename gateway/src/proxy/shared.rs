//! What the proxies of one process have in common, made once from their settings.
//!
//! Guarantees: every thread counts against the same budgets. Must not: be looked into by a request; each thread resolves what it needs
//! when its proxy is built.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::settings::{RouteSettings, Settings};
use crate::policy::ids::{RouteName, UpstreamName};
use crate::upstream::Concurrency;
use crate::upstream::settings::{self as upstream, ConcurrencySettings};

/// Shared by the proxies of one process.
#[derive(Debug, Default)]
pub struct Shared {
    budgets: BTreeMap<RouteName, Arc<Budget>>,
    upstreams: BTreeMap<UpstreamName, Arc<Concurrency>>,
    whole: Option<Arc<Concurrency>>,
}

impl Shared {
    /// What these settings need.
    #[must_use]
    pub fn new(settings: &Settings, upstreams: &[upstream::Settings]) -> Arc<Self> {
        let budgets = settings.routes.iter().filter(|route| repeats(route));
        let budget = |route: &RouteSettings| {
            let budget = Budget::new(route.retry.budget);
            (route.name.clone(), Arc::new(budget))
        };
        Arc::new(Self {
            budgets: budgets.map(budget).collect(),
            upstreams: upstreams.iter().filter_map(limited).collect(),
            whole: settings.max_requests.map(whole),
        })
    }

    /// The limit on all requests that are forwarded.
    pub(super) const fn whole(&self) -> Option<&Arc<Concurrency>> {
        self.whole.as_ref()
    }

    /// The limit on an upstream's requests.
    pub(super) fn upstream(&self, name: &UpstreamName) -> Option<&Arc<Concurrency>> {
        self.upstreams.get(name)
    }

    /// Every upstream with a limit.
    pub fn limited(&self) -> impl Iterator<Item = (&UpstreamName, &Concurrency)> {
        let upstreams = self.upstreams.iter();
        upstreams.map(|(name, concurrency)| (name, &**concurrency))
    }

    /// The budget of a route, if it ever makes more than one attempt.
    pub(super) fn budget(&self, route: &RouteName) -> Option<Arc<Budget>> {
        self.budgets.get(route).map(Arc::clone)
    }

    /// Keeps windows moving; every thread does so a few times a second.
    pub(super) fn tick(&self) {
        for budget in self.budgets.values() {
            budget.tick();
        }
        for concurrency in self.upstreams.values() {
            concurrency.tick();
        }
    }
}

const fn repeats(route: &RouteSettings) -> bool {
    route.retry.attempts > 1 || route.hedge.is_some()
}

fn limited(upstream: &upstream::Settings) -> Option<(UpstreamName, Arc<Concurrency>)> {
    let concurrency = Concurrency::new(upstream.concurrency?);
    Some((upstream.name.clone(), concurrency))
}

/// Nobody waits for a place in the process: whoever waits takes one.
fn whole(most: u32) -> Arc<Concurrency> {
    Concurrency::new(ConcurrencySettings {
        most,
        queue: 0,
        queue_timeout: Duration::ZERO,
        adaptive: None,
    })
}
