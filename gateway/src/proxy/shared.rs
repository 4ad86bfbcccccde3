//! What the proxies of one process have in common, made once from their settings.
//!
//! Guarantees: every thread counts against the same budgets. Must not: be looked into by a request; each thread resolves what it needs
//! when its proxy is built.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::budget::Budget;
use super::settings::{RouteSettings, Settings};
use crate::policy::ids::RouteName;

/// Shared by the proxies of one process.
#[derive(Debug, Default)]
pub struct Shared {
    budgets: BTreeMap<RouteName, Arc<Budget>>,
}

impl Shared {
    /// What these settings need.
    #[must_use]
    pub fn new(settings: &Settings) -> Arc<Self> {
        let budgets = settings.routes.iter().filter(|route| repeats(route));
        let budget = |route: &RouteSettings| {
            let budget = Budget::new(route.retry.budget);
            (route.name.clone(), Arc::new(budget))
        };
        Arc::new(Self {
            budgets: budgets.map(budget).collect(),
        })
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
    }
}

const fn repeats(route: &RouteSettings) -> bool {
    route.retry.attempts > 1 || route.hedge.is_some()
}
