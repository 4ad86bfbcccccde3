//! What the limiter did, counted.
//!
//! Guarantees: counting costs a plain load and store: each tally has one writing thread, so that no cache line moves between
//! cores for it; readers see each count eventually and never backwards. Must not: know how counts are published.

use std::sync::atomic::{AtomicU64, Ordering};

use super::verdict::{By, Decision};

/// A count with one writer and any number of readers.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds `more`. Not a read-modify-write: only the owning thread writes.
    pub(super) fn add(&self, more: u64) {
        self.0
            .store(self.get().wrapping_add(more), Ordering::Relaxed);
    }
}

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counts of one policy on one thread.
        #[derive(Debug, Default)]
        pub struct Tally {
            decisions: [Count; Decision::ALL.len()],
            $($(#[$doc])* pub $name: Count,)*
        }

        /// The counts of one policy over all threads, at one moment.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            decisions: [u64; Decision::ALL.len()],
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Totals {
            /// Adds what one thread counted.
            pub(super) fn add(&mut self, tally: &Tally) {
                for (total, count) in self.decisions.iter_mut().zip(&tally.decisions) {
                    *total += count.get();
                }
                $(self.$name += tally.$name.get();)*
            }
        }
    };
}

tally! {
    /// Decided here from tokens held ahead.
    by_lease,
    /// Decided here from an earlier denial.
    by_denial_memory,
    /// Refused because more requests waited for the store than may.
    by_overload,
    /// Debits asked of the store, for one request or many.
    store_calls,
    /// Debits the store did not answer.
    store_failures,
    /// Requests that were answered by a debit they shared with others.
    coalesced,
    /// Tokens debited ahead.
    leased,
    /// Tokens given back in time.
    given_back,
    /// Tokens given back too late, or not at all: lost.
    lost,
}

impl Tally {
    /// Counts a decision.
    pub(super) fn decided(&self, decision: Decision, by: By) {
        self.decisions[decision as usize].add(1);
        match by {
            By::Lease => self.by_lease.add(1),
            By::DenialMemory => self.by_denial_memory.add(1),
            By::Overload => self.by_overload.add(1),
            By::Store | By::Degraded | By::Cost => {}
        }
    }
}

impl Totals {
    /// How often this was decided.
    #[must_use]
    pub const fn decisions(&self, decision: Decision) -> u64 {
        self.decisions[decision as usize]
    }

    /// Decisions made without asking the store, as `rate_limit_local_decisions_total` labels them.
    #[must_use]
    pub const fn local(&self) -> [(&'static str, u64); 2] {
        [
            (By::Lease.label(), self.by_lease),
            (By::DenialMemory.label(), self.by_denial_memory),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_what_threads_counted() {
        let (one, two) = (Tally::default(), Tally::default());
        one.decided(Decision::Granted, By::Lease);
        two.decided(Decision::Granted, By::Store);
        two.decided(Decision::Denied, By::DenialMemory);
        let mut totals = Totals::default();
        totals.add(&one);
        totals.add(&two);
        assert_eq!(totals.decisions(Decision::Granted), 2);
        assert_eq!(totals.decisions(Decision::Denied), 1);
        assert_eq!(totals.local(), [("lease", 1), ("denial_memory", 1)]);
    }

    #[test]
    fn every_decision_counts_in_its_own_place() {
        for (place, decision) in Decision::ALL.into_iter().enumerate() {
            assert_eq!(decision as usize, place);
        }
    }
}
