//! The memory of a denial: between debits a bucket only refills, so "not before t" stays true until t.
//!
//! Guarantees: nothing is denied from memory later than the store itself would have denied it, and nobody is told to come back
//! earlier than the store would grant. Must not: outlive its deadline, or speak about a cheaper request than the one denied.

use std::time::Duration;

use tokio::time::Instant;

use crate::policy::token_bucket::BucketSpec;
use crate::policy::units::Micros;

/// "A request of `cost` tokens is not granted before then."
///
/// The store counts from the instant at which it decided, which no replica knows exactly: it lies between the call being sent
/// and the answer being received. So there are two deadlines, one for each way of being wrong that would do harm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denial {
    cost: u64,
    /// Counted from the sending: until then it is certain.
    certain_until: Instant,
    /// Counted from the receiving: by then it is certainly over.
    over_at: Instant,
}

impl Denial {
    /// What an answer said: `retry_after` until the bucket holds `cost` tokens.
    pub(super) fn new(cost: u64, retry_after: Micros, sent: Instant, received: Instant) -> Self {
        Self {
            cost,
            certain_until: sent + retry_after.to_duration(),
            over_at: received + retry_after.to_duration(),
        }
    }

    /// How long a request of `cost` is denied for certain at `now`; nothing when the store must be asked.
    pub(super) fn covers(&self, spec: &BucketSpec, cost: u64, now: Instant) -> Option<Micros> {
        let more = cost.checked_sub(self.cost)?;
        let certain = now < self.certain_until + spec.cost(more).to_duration();
        certain.then(|| self.retry_after(spec, cost, now))
    }

    /// Whether there is nothing left to remember.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.certain_until
    }

    /// What to tell a request of `cost`, at least the cost this denial is about.
    pub(super) fn retry_after(&self, spec: &BucketSpec, cost: u64, now: Instant) -> Micros {
        let more = spec.cost(cost.saturating_sub(self.cost));
        span_until(self.over_at, now).saturating_add(more)
    }
}

/// The time from `now` to `then` in whole microseconds, rounded up.
pub(super) fn span_until(then: Instant, now: Instant) -> Micros {
    let span = then.saturating_duration_since(now);
    Micros::from(span.saturating_add(Duration::from_nanos(999)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_denial_is_certain_from_the_sending_and_over_from_the_receiving() {
        let spec = BucketSpec::new(10, "1/1s".parse().unwrap()).unwrap();
        let sent = Instant::now();
        let received = sent + Duration::from_millis(15);
        let denial = Denial::new(2, Micros::from_secs(1), sent, received);
        let at = |millis| sent + Duration::from_millis(millis);
        assert_eq!(
            denial.covers(&spec, 2, at(999)),
            Some(Micros::from_millis(16))
        );
        assert_eq!(denial.covers(&spec, 2, at(1_000)), None);
        assert_eq!(
            denial.covers(&spec, 1, at(15)),
            None,
            "a cheaper one may pass"
        );
        assert_eq!(
            denial.covers(&spec, 4, at(1_000)),
            Some(Micros::from_millis(2_015)),
            "a dearer one waits for the rest of its tokens"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn spans_round_up() {
        let now = Instant::now();
        assert_eq!(
            span_until(now + Duration::from_nanos(1_001), now),
            Micros::new(2)
        );
        assert_eq!(span_until(now, now + Duration::from_secs(1)), Micros::ZERO);
    }
}
