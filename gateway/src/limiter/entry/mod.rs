//! What one thread remembers of one client under one limit, and everything it can decide from that.
//!
//! Guarantees: what a debit granted is handed out in the order of arrival, the rest of the requests it was for are denied by that
//! same decision; at most one debit is in flight. Must not: talk to the store, wait, or read a clock.

mod handout;
mod standing;

use std::collections::VecDeque;
use std::mem;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::denial::{Denial, span_until};
use super::lease::{self, Lease, Tranche};
use super::policies::{Policy, Told};
use super::recent::Recent;
use super::verdict::{By, Verdict};
use crate::policy::limit::LimitSpec;
use crate::policy::units::Micros;
use crate::policy::window::Batch;

pub(super) use handout::Answer;
pub use standing::Standing;

/// A verdict, and what it cost.
#[derive(Clone, Copy, Debug)]
pub(in crate::limiter) struct Outcome {
    pub(in crate::limiter) verdict: Verdict,
    pub(in crate::limiter) debit: Option<Debit>,
}

/// Tokens that a request was granted.
#[derive(Clone, Copy, Debug)]
pub(in crate::limiter) struct Debit {
    pub(in crate::limiter) spent: Tranche,
    /// From a bucket of this process alone.
    pub(in crate::limiter) degraded: bool,
    /// Of slots: the number of the first.
    pub(in crate::limiter) slot: u32,
}

/// What the next debit is to be for.
#[derive(Clone, Copy, Debug)]
pub(in crate::limiter) struct Demand {
    /// Tokens for everyone it is for.
    pub(in crate::limiter) need: u64,
    /// The same by request, where all cost the same; a token bucket does not mind.
    pub(in crate::limiter) batch: Batch,
    /// Tokens worth holding ahead.
    pub(in crate::limiter) spare: u64,
}

/// A request that waits for a debit.
#[derive(Debug)]
struct Waiter {
    cost: u64,
    answer: oneshot::Sender<Outcome>,
}

/// A debit under way, or about to be.
#[derive(Debug, Default)]
struct Call {
    /// In order of arrival; the first `sent` are those the debit in flight is for.
    waiting: VecDeque<Waiter>,
    sent: usize,
    /// Worth making even if nobody waits.
    ahead: bool,
}

/// What is remembered of one client under one limit.
#[derive(Debug)]
pub(in crate::limiter) struct Entry {
    denial: Option<Denial>,
    recent: Recent,
    /// The bucket as the last answer described it.
    remaining: u64,
    full_at: Instant,
    // Boxed: few keys are hot, and an entry is paid for by every client.
    lease: Option<Box<Lease>>,
    call: Option<Box<Call>>,
    /// Asked about since the eviction hand last passed.
    pub(in crate::limiter) referenced: bool,
    /// Requests since somebody last looked at its standing.
    asked: u32,
}

impl Entry {
    pub(in crate::limiter) const fn new(now: Instant) -> Self {
        Self {
            denial: None,
            recent: Recent::new(now),
            remaining: 0,
            full_at: now,
            lease: None,
            call: None,
            referenced: false,
            asked: 0,
        }
    }

    /// What can be decided without the store.
    pub(in crate::limiter) fn decide(
        &mut self,
        policy: &Policy,
        cost: u64,
        now: Instant,
    ) -> Option<Outcome> {
        self.referenced = true;
        self.count();
        if let Some(lease) = &mut self.lease
            && let Some(spent) = lease.spend(cost, now)
        {
            self.recent.granted(cost, policy.half_lifetime(), now);
            return Some(self.granted(policy, By::Lease, spent, 0, now));
        }
        self.remembered(policy, cost, now)
    }

    /// Counts a request that was decided, by whatever.
    pub(in crate::limiter) const fn count(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// The denial that a request would meet: one that holds, and no lease to spare it the question.
    pub(in crate::limiter) fn remembered(
        &self,
        policy: &Policy,
        cost: u64,
        now: Instant,
    ) -> Option<Outcome> {
        let held = self.lease.as_ref().map_or(0, |lease| lease.tokens(now));
        let denial = self.denial.as_ref().filter(|_| held < cost)?;
        let retry_after = denial.covers(policy.spec(), cost, self.full_at, now)?;
        Some(self.denied(policy, By::DenialMemory, retry_after, 0, now))
    }

    /// Whether to fetch more before the lease is used up; says so once per debit, and marks a call as under way.
    pub(in crate::limiter) fn fetch_ahead(&mut self, now: Instant) -> bool {
        let low = self.call.is_none() && self.lease.as_mut().is_some_and(|l| l.runs_low(now));
        if low {
            self.call = Some(Box::new(Call {
                ahead: true,
                ..Call::default()
            }));
        }
        low
    }

    /// Lets a request wait for the next debit. Nothing when `bound` requests wait already.
    pub(in crate::limiter) fn wait(
        &mut self,
        cost: u64,
        bound: usize,
    ) -> Option<oneshot::Receiver<Outcome>> {
        let call = self.call.get_or_insert_default();
        if call.waiting.len() >= bound {
            return None;
        }
        let (answer, verdict) = oneshot::channel();
        call.waiting.push_back(Waiter { cost, answer });
        Some(verdict)
    }

    /// Whether a call is under way: such an entry stays where it is.
    pub(in crate::limiter) const fn is_pinned(&self) -> bool {
        self.call.is_some()
    }

    /// Whether forgetting this entry loses nothing.
    pub(in crate::limiter) fn is_idle(&self, policy: &Policy, now: Instant) -> bool {
        let denied = self.denial.as_ref();
        self.lease.as_ref().is_none_or(|lease| lease.is_empty())
            && self.recent.is_idle(policy.half_lifetime(), now)
            && denied.is_none_or(|denial| denial.is_over(now))
    }

    /// The next debit for those who wait; nothing, and no longer a call, when nobody does and nothing is worth holding.
    pub(in crate::limiter) fn next_demand(
        &mut self,
        policy: &Policy,
        now: Instant,
    ) -> Option<Demand> {
        let spare = self.worth_holding(policy, now);
        let call = self.call.as_mut()?;
        let demand = call.gather(policy.spec());
        let ahead = mem::take(&mut call.ahead);
        if call.waiting.is_empty() && !(ahead && spare > 0) {
            self.call = None;
            return None;
        }
        Some(Demand { spare, ..demand })
    }

    /// What everyone who waits by now needs: the store gave no answer, and nobody is to wait for it twice.
    pub(in crate::limiter) fn demand_of_all(&mut self, policy: &Policy) -> Option<Demand> {
        let call = self.call.as_mut()?;
        Some(call.gather(policy.spec()))
    }

    /// The bucket was reset: nothing said about it before holds.
    pub(in crate::limiter) fn forget(&mut self, now: Instant) {
        self.denial = None;
        self.lease = None;
        self.full_at = now;
    }

    /// Takes out the tokens that may no longer be spent. Each uses up the grant it was held for: one that could back another token
    /// while the first is on its way back would let replicas keep tokens out of the bucket for ever.
    pub(in crate::limiter) fn expired(&mut self, now: Instant) -> [Option<Tranche>; 2] {
        let Some(lease) = &mut self.lease else {
            return [None; 2];
        };
        let dead = lease.expired(now);
        for tranche in dead.iter().flatten() {
            self.recent.undone(tranche.tokens);
        }
        dead
    }

    /// Takes out every token held ahead.
    pub(in crate::limiter) fn surrender(&mut self) -> [Option<Tranche>; 2] {
        self.lease
            .take()
            .map_or([None; 2], |mut lease| lease.surrender())
    }

    /// Takes back what was spent on a request that went nowhere; not when nothing is held that would see to its return in time, or
    /// when more would be held than the bound in `lease.rs` allows.
    pub(in crate::limiter) fn take_back(
        &mut self,
        policy: &Policy,
        spent: Tranche,
        now: Instant,
    ) -> bool {
        let half = policy.half_lifetime();
        self.recent.undone(spent.tokens);
        let allowed = self.recent.total(half, now);
        let Some(lease) = &mut self.lease else {
            return false;
        };
        let held = lease.tokens(now);
        let fits = held > 0 && now < spent.until && held + spent.tokens <= allowed;
        if fits {
            lease.put(spent);
        }
        fits
    }

    fn worth_holding(&mut self, policy: &Policy, now: Instant) -> u64 {
        if !policy.settings().leases {
            return 0;
        }
        let held = self.lease.as_ref().map_or(0, |lease| lease.outstanding());
        let recent = self.recent.total(policy.half_lifetime(), now);
        lease::worth_holding(recent).saturating_sub(held)
    }

    fn granted(&self, policy: &Policy, by: By, spent: Tranche, left: u64, now: Instant) -> Outcome {
        let told = self.told(Micros::ZERO, left, now);
        Outcome {
            verdict: policy.verdict(true, by, told),
            debit: Some(Debit {
                spent,
                degraded: false,
                slot: 0,
            }),
        }
    }

    fn denied(
        &self,
        policy: &Policy,
        by: By,
        retry_after: Micros,
        left: u64,
        now: Instant,
    ) -> Outcome {
        Outcome {
            verdict: policy.verdict(false, by, self.told(retry_after, left, now)),
            debit: None,
        }
    }

    /// `left` are tokens of a debit that is just being handed out.
    fn told(&self, retry_after: Micros, left: u64, now: Instant) -> Told {
        let held = self.lease.as_ref().map_or(0, |lease| lease.tokens(now));
        Told {
            remaining: self.remaining.saturating_add(left).saturating_add(held),
            retry_after,
            full_after: span_until(self.full_at, now),
        }
    }
}

impl Call {
    /// Makes the debit one for everyone who waits by now, and tells what they need together. Only a token bucket grants single
    /// tokens and says when the next one comes; the others grant requests of one cost, so there it is for the first who cost the same.
    fn gather(&mut self, spec: &LimitSpec) -> Demand {
        self.waiting.retain(|waiter| !waiter.answer.is_closed());
        let cost = self.waiting.front().map_or(1, |waiter| waiter.cost);
        self.sent = match spec {
            LimitSpec::TokenBucket(_) => self.waiting.len(),
            LimitSpec::Window(_) | LimitSpec::Concurrency(_) => {
                let same = self.waiting.iter().take_while(|one| one.cost == cost);
                same.count()
            }
        };
        let costs = self.waiting.iter().take(self.sent).map(|one| one.cost);
        Demand {
            need: costs.fold(0, u64::saturating_add),
            batch: Batch {
                requests: self.sent as u64,
                cost,
            },
            spare: 0,
        }
    }
}

impl Waiter {
    /// Gives the outcome back when whoever waited has left.
    fn tell(self, outcome: Outcome) -> Result<(), Outcome> {
        self.answer.send(outcome)
    }
}
