//! How far a client is from its limit, as one thread remembers it. Must not: ask the store, or read a clock.

use std::mem;

use tokio::time::Instant;

use super::{Entry, span_until};
use crate::limiter::policies::Policy;
use crate::policy::limit::LimitSpec;
use crate::policy::units::Micros;

/// A client's place under its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it may still have, as far as this thread knows: others of the fleet may have granted more since.
    pub remaining: u64,
    /// After how long it has all of it again.
    pub full_after: Micros,
    /// While it is refused from memory: for how long still. Else zero.
    pub retry_after: Micros,
    /// Requests since the last look.
    pub asked: u32,
}

impl Entry {
    /// The client's standing; nothing when it has all it may have. Counts its requests anew.
    pub(in crate::limiter) fn standing(
        &mut self,
        policy: &Policy,
        now: Instant,
    ) -> Option<Standing> {
        let asked = mem::take(&mut self.asked);
        let denial = self.denial.as_ref().filter(|denial| !denial.is_over(now));
        let retry_after = denial.map(|one| one.retry_after(policy.spec(), 0, self.full_at, now));
        let full_after = span_until(self.full_at, now);
        if full_after == Micros::ZERO && retry_after.is_none() {
            return None;
        }
        let held = self.lease.as_ref().map_or(0, |lease| lease.tokens(now));
        let capacity = policy.spec().capacity();
        let left = self.left(policy.spec(), full_after);
        Some(Standing {
            remaining: left.saturating_add(held).min(capacity),
            full_after,
            retry_after: retry_after.unwrap_or(Micros::ZERO),
            asked,
        })
    }

    /// What is left by now: a token bucket fills at a known pace, the others are as the last answer described them.
    fn left(&self, spec: &LimitSpec, full_after: Micros) -> u64 {
        let LimitSpec::TokenBucket(bucket) = spec else {
            return self.remaining;
        };
        let whole = u128::from(bucket.time_to_full().get().max(1));
        let missing = u128::from(bucket.capacity()) * u128::from(full_after.get());
        let missing = u64::try_from(missing.div_ceil(whole)).unwrap_or(u64::MAX);
        bucket.capacity().saturating_sub(missing)
    }
}
