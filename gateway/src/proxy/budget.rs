//! A route's budget of retries and hedges, one for all threads.
//!
//! Guarantees: a request costs one count in a cell of its thread's own; only one that asks for another attempt takes the lock, which
//! is held for a sum of ten numbers and never across an await. Must not: decide; the ledger does.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::policy::retry::{BudgetSpec, Ledger, Spending};
use crate::policy::units::Micros;
use crate::telemetry::Counter;

/// One route's budget.
#[derive(Debug)]
pub(super) struct Budget {
    spec: BudgetSpec,
    began: Instant,
    requests: Counter,
    ledger: Mutex<Ledger>,
}

impl Budget {
    pub(super) fn new(spec: BudgetSpec) -> Self {
        Self {
            spec,
            began: Instant::now(),
            requests: Counter::default(),
            ledger: Mutex::new(Ledger::new(spec)),
        }
    }

    /// What it allows.
    pub(super) const fn spec(&self) -> BudgetSpec {
        self.spec
    }

    /// A request begins: it pays for a share of another attempt.
    pub(super) fn request(&self) {
        self.requests.inc();
    }

    /// Asks for one attempt more than the first.
    pub(super) fn spend(&self) -> Spending {
        self.with(Ledger::spend)
    }

    /// Keeps the window moving; called several times a second.
    pub(super) fn tick(&self) {
        self.with(Ledger::look);
    }

    fn with<T>(&self, look: impl FnOnce(&mut Ledger, Micros, u64) -> T) -> T {
        let now = Micros::from(self.began.elapsed());
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut ledger, now, self.requests.get())
    }
}
