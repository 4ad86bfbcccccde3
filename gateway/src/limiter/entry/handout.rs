//! Handing out what a debit granted: in the order of arrival, and everything from one decision.
//!
//! Guarantees: a request is granted only tokens that were debited for it; what a debit left over is held ahead, or is named to be
//! given back. Must not: wait for anything.

use std::mem;

use tokio::time::Instant;

use super::{Debit, Entry, Outcome, Waiter};
use crate::limiter::denial::Denial;
use crate::limiter::lease::{Lease, Tranche};
use crate::limiter::policies::Policy;
use crate::limiter::verdict::By;
use crate::policy::limit::LimitSpec;
use crate::policy::token_bucket::Taken;
use crate::policy::units::Micros;

/// What to tell whoever finds every slot taken: one comes free whenever a request ends, which nobody can foretell.
const ASK_AGAIN: Micros = Micros::from_secs(1);

/// A store's answer to one debit, and what is known about when it was given.
#[derive(Clone, Copy, Debug)]
pub(in crate::limiter) struct Answer {
    pub(in crate::limiter) taken: Taken,
    pub(in crate::limiter) sent: Instant,
    pub(in crate::limiter) received: Instant,
    /// Not the shared store's.
    pub(in crate::limiter) degraded: bool,
    /// Of slots: the number of the first that was taken.
    pub(in crate::limiter) first_slot: u32,
    /// The bucket was reset while the call was in flight: its denial may be about the bucket of before.
    pub(in crate::limiter) outdated: bool,
}

/// What is left to do after an answer was handed out.
#[derive(Debug, Default)]
pub(in crate::limiter) struct Settled {
    /// Tokens to give back at once.
    pub(in crate::limiter) unused: u64,
    /// Tokens now held ahead, and until when.
    pub(in crate::limiter) held: Option<(u64, Instant)>,
    /// Requests the debit was for.
    pub(in crate::limiter) answered: usize,
    /// Slots of those who left before they heard that they have them.
    pub(in crate::limiter) abandoned: Vec<Debit>,
}

impl Entry {
    /// Hands out what a debit granted, then decides what can be decided of those who came later.
    pub(in crate::limiter) fn settle(&mut self, policy: &Policy, answer: &Answer) -> Settled {
        let mut call = self.call.take().unwrap_or_default();
        let now = answer.received;
        self.remaining = answer.taken.remaining;
        self.full_at = now + answer.taken.full_after.to_duration();
        if answer.taken.granted > 0 && !answer.degraded {
            // Still certain for a dearer request, but its time to come back has moved.
            self.denial = None;
        }
        let batch: Vec<Waiter> = call.waiting.drain(..call.sent).collect();
        let answered = batch.len();
        let mut abandoned = Vec::new();
        let (left, refused) = self.pay(policy, answer, batch, &mut abandoned);
        let mut settled = if refused.is_empty() {
            self.hold(policy, answer, left)
        } else {
            self.refuse(policy, answer, left, refused);
            Settled {
                unused: left,
                ..Settled::default()
            }
        };
        settled.answered = answered;
        settled.abandoned = abandoned;
        if !answer.degraded {
            // On its way back it is still out of the bucket: it must not back anything meanwhile.
            self.recent.undone(settled.unused);
        }
        for waiter in mem::take(&mut call.waiting) {
            match self.decide(policy, waiter.cost, now) {
                // Whoever has left needs no answer.
                Some(outcome) => {
                    let _ = waiter.tell(outcome);
                }
                None => call.waiting.push_back(waiter),
            }
        }
        self.call = Some(call);
        settled
    }

    /// Pays each request of a debit out of it, and out of the lease where that completes one. A request whose client has left
    /// pays too: its tokens were granted, and to hold them for others would break the premise of `lease.rs`. Slots go back instead: they would be held for as long as a lease.
    fn pay(
        &mut self,
        policy: &Policy,
        answer: &Answer,
        batch: Vec<Waiter>,
        abandoned: &mut Vec<Debit>,
    ) -> (u64, Vec<Waiter>) {
        let now = answer.received;
        let by = if answer.degraded {
            By::Degraded
        } else {
            By::Store
        };
        let mut left = answer.taken.granted;
        let mut refused = Vec::new();
        for waiter in batch {
            let part = waiter.cost.min(left);
            let lease = self.lease.as_mut().filter(|_| !answer.degraded);
            let rest = match waiter.cost - part {
                0 => None,
                missing => match lease.and_then(|lease| lease.spend(missing, now)) {
                    Some(rest) => Some(rest),
                    None => {
                        refused.push(waiter);
                        continue;
                    }
                },
            };
            let paid = answer.taken.granted - left;
            left -= part;
            let spent = answer.tranche(policy, part);
            let spent = rest.map_or(spent, |rest| spent.joined(rest));
            if !answer.degraded {
                self.recent
                    .granted(waiter.cost, policy.half_lifetime(), now);
            }
            let mut outcome = self.granted(policy, by, spent, left, now);
            if let Some(debit) = &mut outcome.debit {
                debit.degraded = answer.degraded;
                debit.slot = answer.slot(paid);
            }
            if let Err(Outcome { debit, .. }) = waiter.tell(outcome)
                && policy.is_held()
            {
                abandoned.extend(debit);
            }
        }
        (left, refused)
    }

    /// Keeps what is left of a debit ahead, unless it came too late to be spent.
    fn hold(&mut self, policy: &Policy, answer: &Answer, left: u64) -> Settled {
        let tranche = answer.tranche(policy, left);
        let now = answer.received;
        if left == 0 || answer.degraded || !policy.settings().leases || now >= tranche.until {
            return Settled {
                unused: left,
                ..Settled::default()
            };
        }
        self.lease
            .get_or_insert_with(|| Box::new(Lease::new()))
            .hold(tranche, now);
        Settled {
            held: Some((left, tranche.until)),
            ..Settled::default()
        }
    }

    /// Denies the requests that a debit did not stretch to. What it left over returns to the bucket, so that the cheapest
    /// request the bucket cannot pay for costs one token more than that, and the wait is for that many. The others grant whole
    /// requests, and it is about one more of those.
    fn refuse(&mut self, policy: &Policy, answer: &Answer, left: u64, refused: Vec<Waiter>) {
        let cost_of_each = refused.first().map_or(1, |waiter| waiter.cost);
        let (cost, retry_after) = match policy.spec() {
            LimitSpec::TokenBucket(spec) => {
                let wait = spec.wait_after_return(answer.taken.retry_after, left);
                (left + 1, wait)
            }
            LimitSpec::Window(_) => (cost_of_each, answer.taken.retry_after),
            LimitSpec::Concurrency(_) => (cost_of_each, ASK_AGAIN),
        };
        let denial = Denial::new(cost, retry_after, answer.sent, answer.received);
        if !answer.degraded && !answer.outdated && !policy.is_held() {
            self.denial = Some(denial);
        }
        let by = if answer.degraded {
            By::Degraded
        } else {
            By::Store
        };
        for waiter in refused {
            let (full_at, now) = (self.full_at, answer.received);
            let retry_after = denial.retry_after(policy.spec(), waiter.cost, full_at, now);
            let _ = waiter.tell(self.denied(policy, by, retry_after, left, now));
        }
    }
}

impl Answer {
    /// The slot after the first `paid`.
    const fn slot(&self, paid: u64) -> u32 {
        // No more requests wait than fit, each for no more slots than there are.
        self.first_slot.wrapping_add(paid as u32)
    }

    fn tranche(&self, policy: &Policy, tokens: u64) -> Tranche {
        Tranche {
            tokens,
            debited_at: self.taken.at,
            until: self.sent + policy.spendable(),
        }
    }
}
