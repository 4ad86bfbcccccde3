//! The way of one request through what this thread remembers.
//!
//! Guarantees: a decision from memory costs one look-up and no allocation; whatever is borrowed here is let go before anything is
//! awaited. Must not: look into what an entry remembers: that is `entry/`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::all::Want;
use super::entry::{Debit, Outcome};
use super::flight;
use super::hot::Round;
use super::lease::Tranche;
use super::policies::{Policies, Policy, Told};
use super::returns::Returns;
use super::shared::Shared;
use super::slots::Held;
use super::table::{Place, Slot, Table};
use super::verdict::{By, Verdict};
use crate::policy::concurrency::SlotId;
use crate::policy::ids::ClientId;
use crate::policy::units::{Micros, StoreTime};
use crate::store::{Store, StoreError};

/// How long a request is told to wait when nothing better is known.
const PAUSE: Micros = Micros::from_secs(1);

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
    /// What tells the slots of this limiter from those of every other.
    pub(super) holder: u64,
    /// The number of the next slot.
    pub(super) next_slot: Cell<u32>,
    /// The slots of requests in flight, by the number of the first of each.
    pub(super) held: RefCell<BTreeMap<u32, Held>>,
    /// The walk in search of clients near their limit.
    pub(super) round: RefCell<Round>,
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
            Step::Wait(answer) => {
                let mut waiting = Waiting {
                    inner: self,
                    want,
                    answer,
                };
                // The task that asks may be gone: the thread is being torn down.
                let outcome = (&mut waiting.answer).await;
                outcome.unwrap_or_else(|_| refusal(want, By::Overload))
            }
        }
    }

    /// Decides at once, or joins those who wait for the next debit.
    fn step(self: &Rc<Self>, want: &Want<'_>, now: Instant) -> Step {
        if want.cost > want.policy.settings().spec.capacity() {
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
        let entry = &mut table.at(place)?.entry;
        let denied = entry.remembered(want.policy, want.cost, now)?;
        if denied.verdict.decision.passes() {
            return None;
        }
        entry.count();
        Some(denied.verdict)
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

/// A request on its way to its verdict. Slots are held by whoever hears of them: one that leaves between the answer and the hearing
/// would hold them for a lease.
struct Waiting<'a> {
    inner: &'a Inner,
    want: &'a Want<'a>,
    answer: oneshot::Receiver<Outcome>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.want.policy.is_held() {
            return;
        }
        self.answer.close();
        if let Ok(Outcome {
            debit: Some(debit), ..
        }) = self.answer.try_recv()
        {
            self.inner.undo(self.want, debit);
        }
    }
}

impl Inner {
    /// Numbers for slots; nobody's for a limit that has none.
    pub(super) fn number(&self, policy: &Policy, count: u64) -> SlotId {
        if !policy.is_held() {
            return SlotId::NOBODY;
        }
        let first = self.next_slot.get();
        // No more requests wait than fit, each for no more slots than there are.
        self.next_slot.set(first.wrapping_add(count as u32));
        SlotId {
            holder: self.holder,
            first,
        }
    }

    /// Lets go of slots that may have been taken although there was no answer.
    pub(super) fn disown(
        &self,
        policy: &Rc<Policy>,
        client: &ClientId,
        id: SlotId,
        count: u64,
        error: StoreError,
    ) {
        if !policy.is_held() || matches!(error, StoreError::Down | StoreError::Overloaded) {
            return;
        }
        let spent = Tranche {
            tokens: count,
            debited_at: StoreTime::default(),
            until: Instant::now(),
        };
        let debit = Debit {
            spent,
            degraded: false,
            slot: id.first,
        };
        self.returns.undo(policy, client, debit);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.left();
        self.shared.hot.forget(self.holder);
    }
}

/// A refusal that says nothing about the bucket.
fn refusal(want: &Want<'_>, by: By) -> Outcome {
    let pause = match by {
        // It can never be granted; there is no better time to name than a full bucket's.
        By::Cost => want.policy.spec().window().unwrap_or(PAUSE),
        _ => PAUSE,
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
