//! Several limits on one request: all grant it, or it costs none of them anything.
//!
//! Guarantees: a request that one limit denies, or whose client leaves half-way, gives back what the others granted. Must not:
//! debit anything while an earlier denial already answers.

use std::rc::Rc;

use tokio::time::Instant;

use super::entry::Debit;
use super::policies::Policy;
use super::slots::Slot;
use super::verdict::Verdict;
use super::{Inner, Limiter};
use crate::policy::ids::ClientId;

/// What one limit is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The limit.
    pub policy: &'a Rc<Policy>,
    /// Whom it counts.
    pub client: &'a ClientId,
    /// Tokens.
    pub cost: u64,
}

/// What several limits say of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdicts {
    /// It goes on. One verdict for each want, in their order.
    Passed(Vec<Verdict>),
    /// It does not.
    Refused {
        /// Which want was denied.
        by: usize,
        /// How.
        verdict: Verdict,
    },
}

impl Limiter {
    /// Debits every one of `wants`, or none. What [`Self::hold_all`] would hold is let go at once.
    pub async fn take_all(&self, wants: &[Want<'_>]) -> Verdicts {
        self.hold_all(wants).await.0
    }

    /// The same with the slots to be held until the request is over.
    pub async fn hold_all(&self, wants: &[Want<'_>]) -> (Verdicts, Vec<Slot>) {
        if let Some(refused) = self.remembered_refusal(wants) {
            return (refused, Vec::new());
        }
        let mut held = Held {
            inner: &self.inner,
            debits: Vec::with_capacity(wants.len()),
        };
        let mut verdicts = Vec::with_capacity(wants.len());
        for (by, want) in wants.iter().enumerate() {
            let outcome = self.inner.outcome(want).await;
            let verdict = outcome.verdict;
            if !verdict.decision.passes() {
                want.policy.tally.decided(verdict.decision, verdict.by);
                return (Verdicts::Refused { by, verdict }, Vec::new());
            }
            held.debits
                .extend(outcome.debit.map(|debit| (*want, debit)));
            verdicts.push(verdict);
        }
        let slots = held.debits.drain(..);
        let slots = slots.filter_map(|(want, debit)| Slot::of(&self.inner, &want, Some(debit)));
        let slots = slots.collect();
        for (want, verdict) in wants.iter().zip(&verdicts) {
            want.policy.tally.decided(verdict.decision, verdict.by);
        }
        (Verdicts::Passed(verdicts), slots)
    }

    fn remembered_refusal(&self, wants: &[Want<'_>]) -> Option<Verdicts> {
        let now = Instant::now();
        wants.iter().enumerate().find_map(|(by, want)| {
            let verdict = self.inner.remembered_denial(want, now)?;
            want.policy.tally.decided(verdict.decision, verdict.by);
            Some(Verdicts::Refused { by, verdict })
        })
    }
}

/// What earlier limits granted while later ones are asked. Dropped with anything in it, that goes back.
struct Held<'a> {
    inner: &'a Inner,
    debits: Vec<(Want<'a>, Debit)>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for (want, debit) in self.debits.drain(..) {
            self.inner.undo(&want, debit);
        }
    }
}
