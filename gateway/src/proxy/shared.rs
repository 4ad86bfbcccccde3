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
        Self::default().renewed(settings, upstreams)
    }

    /// What other settings need. What stays as it was is the same, with everything that is counted in it.
    #[must_use]
    pub fn renewed(&self, settings: &Settings, upstreams: &[upstream::Settings]) -> Arc<Self> {
        let budgets = settings.routes.iter().filter(|route| repeats(route));
        let budget = |route: &RouteSettings| {
            let spec = route.retry.budget;
            let known = self.budgets.get(&route.name);
            let same = known.filter(|known| known.spec() == spec);
            let budget = same.map_or_else(|| Arc::new(Budget::new(spec)), Arc::clone);
            (route.name.clone(), budget)
        };
        let limited = |one: &upstream::Settings| {
            let places = places(self.upstreams.get(&one.name), one.concurrency?);
            Some((one.name.clone(), places))
        };
        let most = settings.max_requests.map(whole);
        Arc::new(Self {
            budgets: budgets.map(budget).collect(),
            upstreams: upstreams.iter().filter_map(limited).collect(),
            whole: most.map(|most| places(self.whole.as_ref(), most)),
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

/// Those there are, if they are as many as before.
fn places(known: Option<&Arc<Concurrency>>, settings: ConcurrencySettings) -> Arc<Concurrency> {
    let same = known.filter(|known| *known.settings() == settings);
    same.map_or_else(|| Concurrency::new(settings), Arc::clone)
}

/// Nobody waits for a place in the process: whoever waits takes one.
const fn whole(most: u32) -> ConcurrencySettings {
    ConcurrencySettings {
        most,
        queue: 0,
        queue_timeout: Duration::ZERO,
        adaptive: None,
    }
}
