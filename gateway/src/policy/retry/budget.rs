//! How many attempts may be made on top of the first ones, so that retries and hedges never multiply an outage.
//!
//! Guarantees: whenever one more is granted, those of the last ten seconds, it included, are at most a share of the requests of
//! the last ten seconds and a fixed minimum. Must not: count by itself; the number of requests so far is an argument.

use crate::policy::units::{Micros, Rate};

/// The window slides by slots of a second.
const SLOTS: usize = 10;
const SLOT: Micros = Micros::from_secs(1);

/// What a budget allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetSpec {
    share: f64,
    /// Allowed in each window beside the share.
    minimum: f64,
}

impl BudgetSpec {
    /// A budget of `share` additional attempts for each request, and of a `minimum` that is there however few requests there are: a
    /// quiet route may retry too.
    #[must_use]
    pub fn new(share: f64, minimum: Rate) -> Self {
        let window = SLOT.get() as f64 * SLOTS as f64;
        Self {
            share,
            minimum: minimum.tokens() as f64 * window / minimum.per().get() as f64,
        }
    }

    /// The most additional attempts within one window of so many `requests`.
    #[must_use]
    pub fn allowance(&self, requests: u64) -> f64 {
        self.share * requests as f64 + self.minimum
    }
}

impl Default for BudgetSpec {
    /// A fifth of the requests, and ten a second.
    fn default() -> Self {
        Self {
            share: 0.2,
            minimum: 100.0,
        }
    }
}

/// Whether there may be one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// There may, and it is counted.
    Granted,
    /// There may not.
    Exhausted,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    requests: u64,
    additional: u64,
}

/// What was sent in the last ten seconds.
#[derive(Clone, Debug)]
pub struct Ledger {
    spec: BudgetSpec,
    slots: [Slot; SLOTS],
    /// The number of the newest slot since the beginning of time.
    newest: u64,
    /// The count of requests at the last look.
    seen: u64,
}

impl Ledger {
    /// A ledger with nothing in it.
    #[must_use]
    pub fn new(spec: BudgetSpec) -> Self {
        Self {
            spec,
            slots: [Slot::default(); SLOTS],
            newest: 0,
            seen: 0,
        }
    }

    /// Takes note of the time and of how many `requests` there have been since the beginning. What came since the last look counts
    /// as of now. A time before the last one is the last one.
    pub fn look(&mut self, now: Micros, requests: u64) {
        let slot = now.get() / SLOT.get();
        let passed = slot.saturating_sub(self.newest);
        for step in 0..passed.min(SLOTS as u64) {
            *self.slot(slot - step) = Slot::default();
        }
        self.newest = self.newest.max(slot);
        let newest = self.newest;
        let came = requests.saturating_sub(self.seen);
        self.slot(newest).requests += came;
        self.seen = self.seen.max(requests);
    }

    /// Asks for one more attempt on top of the first ones.
    pub fn spend(&mut self, now: Micros, requests: u64) -> Spending {
        self.look(now, requests);
        let sum = self.slots.iter().fold(Slot::default(), |sum, slot| Slot {
            requests: sum.requests + slot.requests,
            additional: sum.additional + slot.additional,
        });
        if (sum.additional + 1) as f64 > self.spec.allowance(sum.requests) {
            return Spending::Exhausted;
        }
        let newest = self.newest;
        self.slot(newest).additional += 1;
        Spending::Granted
    }

    fn slot(&mut self, number: u64) -> &mut Slot {
        let place = usize::try_from(number % SLOTS as u64).unwrap_or_default();
        &mut self.slots[place]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(share: f64, minimum: u64) -> BudgetSpec {
        BudgetSpec::new(share, Rate::new(minimum, Micros::from_secs(10)).unwrap())
    }

    #[test]
    fn a_share_of_the_requests_and_a_minimum_may_be_sent_again() {
        let mut ledger = Ledger::new(spec(0.2, 3));
        let granted = |ledger: &mut Ledger, now, requests| {
            (0..1_000)
                .take_while(|_| ledger.spend(now, requests) == Spending::Granted)
                .count()
        };
        assert_eq!(granted(&mut ledger, Micros::ZERO, 0), 3);
        assert_eq!(granted(&mut ledger, Micros::from_secs(1), 100), 20);
        assert_eq!(granted(&mut ledger, Micros::from_secs(9), 100), 0);
        // The first three leave the window, then the rest with the requests that paid for them.
        assert_eq!(granted(&mut ledger, Micros::from_secs(10), 100), 3);
        assert_eq!(granted(&mut ledger, Micros::from_secs(60), 100), 3);
    }

    proptest! {
        /// The stated bound, held against a plain list of everything that happened.
        #[test]
        fn the_last_ten_seconds_never_hold_more_than_their_allowance(
            share in 0.01_f64..=1.0,
            minimum in 1_u64..20,
            steps in prop::collection::vec((0_u64..4_000_000, 0_u64..30, 0_u8..40), 1..60),
        ) {
            let spec = spec(share, minimum);
            let mut ledger = Ledger::new(spec);
            let (mut now, mut requests) = (0, 0);
            let mut history: Vec<(u64, u64, u64)> = Vec::new();
            for (passed, came, asked) in steps {
                now += passed;
                requests += came;
                let slot = now / SLOT.get();
                history.push((slot, came, 0));
                ledger.look(Micros::new(now), requests);
                for _ in 0..asked {
                    let within = |entry: &&(u64, u64, u64)| slot - entry.0 < SLOTS as u64;
                    let first: u64 = history.iter().filter(within).map(|entry| entry.1).sum();
                    let again: u64 = history.iter().filter(within).map(|entry| entry.2).sum();
                    let fits = (again + 1) as f64 <= spec.allowance(first);
                    let expected = if fits { Spending::Granted } else { Spending::Exhausted };
                    prop_assert_eq!(ledger.spend(Micros::new(now), requests), expected);
                    history.push((slot, 0, u64::from(fits)));
                }
            }
        }
    }
}
