//! The way of one request through what this thread remembers.
//!
//! Guarantees: a decision from memory costs one look-up and no allocation; whatever is borrowed here is let go before anything is
//! awaited. Must not: look into what an entry remembers: that is `entry/`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::all::Want;
use super::entry::{Debit, Outcome};
use super::flight;
use super::policies::{Policies, Told};
use super::returns::Returns;
use super::shared::Shared;
use super::table::{Place, Slot, Table};
use super::verdict::{By, Verdict};
use crate::policy::units::Micros;
use crate::store::Store;

/// What the clones of a limiter, its tasks and its guards share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) shared: Arc<Shared>,
    pub(super) policies: RefCell<Policies>,
    pub(super) table: RefCell<Table>,
    pub(super) returns: Returns,
    /// How often some bucket was reset: an answer that was in flight meanwhile is not remembered.
    pub(super) resets: Cell<u64>,
    /// How many of the resets told to all threads this one has seen.
    pub(super) seen_resets: Cell<u64>,
    pub(super) waiting: usize,
}

/// How a request gets its verdict.
enum Step {
    Decided(Outcome),
    Wait(oneshot::Receiver<Outcome>),
}

impl Inner {
    pub(super) async fn outcome(self: &Rc<Self>, want: &Want<'_>) -> Outcome {
        match self.step(want, Instant::now()) {
            Step::Decided(outcome) => outcome,
            Step::Wait(answer) => match answer.await {
                Ok(outcome) => outcome,
                // The task that asks is gone: the thread is being torn down.
                Err(_) => refusal(want, By::Overload),
            },
        }
    }

    /// Decides at once, or joins those who wait for the next debit.
    fn step(self: &Rc<Self>, want: &Want<'_>, now: Instant) -> Step {
        if want.cost > want.policy.spec().capacity() {
            return Step::Decided(refusal(want, By::Cost));
        }
        let mut table = self.table.borrow_mut();
        let hash = table.hash(want.policy, want.client);
        let place = match table.find(hash, want.policy, want.client) {
            Some(place) => place,
            None => match self.remember(&mut table, hash, want, now) {
                Some(place) => place,
                None => return Step::Decided(refusal(want, By::Overload)),
            },
        };
        let Some(slot) = table.at(place) else {
            return Step::Decided(refusal(want, By::Overload));
        };
        self.step_at(place, slot, want, now)
    }

    fn step_at(
        self: &Rc<Self>,
        place: Place,
        slot: &mut Slot,
        want: &Want<'_>,
        now: Instant,
    ) -> Step {
        let entry = &mut slot.entry;
        if let Some(outcome) = entry.decide(want.policy, want.cost, now) {
            if outcome.debit.is_some() && entry.fetch_ahead(now) {
                flight::start(self, place, want.policy, want.client);
            }
            return Step::Decided(outcome);
        }
        self.returns
            .give(want.policy, want.client, entry.expired(now));
        let under_way = entry.is_pinned();
        match entry.wait(want.cost, self.waiting) {
            None => Step::Decided(refusal(want, By::Overload)),
            Some(answer) => {
                if !under_way {
                    flight::start(self, place, want.policy, want.client);
                }
                Step::Wait(answer)
            }
        }
    }

    fn remember(
        &self,
        table: &mut Table,
        hash: u64,
        want: &Want<'_>,
        now: Instant,
    ) -> Option<Place> {
        let (place, evicted) = table.insert(hash, want.policy, want.client, now)?;
        if let Some(mut slot) = evicted {
            let held = slot.entry.surrender();
            self.returns.give(&slot.policy, &slot.client, held);
        }
        Some(place)
    }

    /// The verdict of an earlier denial, if that refuses the request.
    pub(super) fn remembered_denial(&self, want: &Want<'_>, now: Instant) -> Option<Verdict> {
        let mut table = self.table.borrow_mut();
        let hash = table.hash(want.policy, want.client);
        let place = table.find(hash, want.policy, want.client)?;
        let denied = table
            .at(place)?
            .entry
            .remembered(want.policy, want.cost, now)?;
        (!denied.verdict.decision.passes()).then_some(denied.verdict)
    }

    /// Takes back what a request was granted that went nowhere: into the lease it came from, else to the store.
    pub(super) fn undo(&self, want: &Want<'_>, debit: Debit) {
        let mut table = self.table.borrow_mut();
        let hash = table.hash(want.policy, want.client);
        let place = table.find(hash, want.policy, want.client);
        let kept = !debit.degraded
            && place.and_then(|place| table.at(place)).is_some_and(|slot| {
                slot.entry
                    .take_back(want.policy, debit.spent, Instant::now())
            });
        if !kept {
            self.returns.undo(want.policy, want.client, debit);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.left();
    }
}

/// A refusal that says nothing about the bucket.
fn refusal(want: &Want<'_>, by: By) -> Outcome {
    let pause = match by {
        // It can never be granted; there is no better time to name than a full bucket's.
        By::Cost => want.policy.spec().time_to_full(),
        _ => Micros::from_secs(1),
    };
    let told = Told {
        remaining: 0,
        retry_after: pause,
        full_after: pause,
    };
    Outcome {
        verdict: want.policy.verdict(false, by, told),
        debit: None,
    }
}
