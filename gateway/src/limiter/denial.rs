//! The memory of a denial: between debits a bucket only refills and a window only empties, so "not before t" stays true until t.
//! Slots come free whenever a request ends, so their denials are not remembered.
//!
//! Guarantees: nothing is denied from memory later than the store itself would have denied it, and nobody is told to come back
//! earlier than the store would grant. Must not: outlive its deadline, or speak about a cheaper request than the one denied.

use std::time::Duration;

use tokio::time::Instant;

use crate::policy::limit::LimitSpec;
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
    pub(super) fn covers(
        &self,
        spec: &LimitSpec,
        cost: u64,
        full_at: Instant,
        now: Instant,
    ) -> Option<Micros> {
        let more = cost.checked_sub(self.cost)?;
        let certain_until = match spec {
            LimitSpec::TokenBucket(spec) => self.certain_until + spec.refund(more).to_duration(),
            LimitSpec::Window(_) | LimitSpec::Concurrency(_) => self.certain_until,
        };
        (now < certain_until).then(|| self.retry_after(spec, cost, full_at, now))
    }

    /// Whether there is nothing left to remember.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.certain_until
    }

    /// What to tell a request of `cost`, at least the cost this denial is about. When a window has room for a dearer one depends on
    /// more than is known here; `full_at`, by when it has room for any, is late enough.
    pub(super) fn retry_after(
        &self,
        spec: &LimitSpec,
        cost: u64,
        full_at: Instant,
        now: Instant,
    ) -> Micros {
        let more = cost.saturating_sub(self.cost);
        let over = span_until(self.over_at, now);
        match spec {
            LimitSpec::TokenBucket(spec) => over.saturating_add(spec.cost(more)),
            _ if more > 0 => span_until(full_at, now).max(over),
            LimitSpec::Window(_) | LimitSpec::Concurrency(_) => over,
        }
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
    use crate::policy::token_bucket::BucketSpec;
    use crate::policy::window::{Counting, WindowSpec};

    #[tokio::test(start_paused = true)]
    async fn a_denial_is_certain_from_the_sending_and_over_from_the_receiving() {
        let spec = BucketSpec::new(10, "1/1s".parse().unwrap()).unwrap().into();
        let sent = Instant::now();
        let received = sent + Duration::from_millis(15);
        let denial = Denial::new(2, Micros::from_secs(1), sent, received);
        let at = |millis| sent + Duration::from_millis(millis);
        assert_eq!(
            denial.covers(&spec, 2, sent, at(999)),
            Some(Micros::from_millis(16))
        );
        assert_eq!(denial.covers(&spec, 2, sent, at(1_000)), None);
        assert_eq!(
            denial.covers(&spec, 1, sent, at(15)),
            None,
            "a cheaper one may pass"
        );
        assert_eq!(
            denial.covers(&spec, 4, sent, at(1_000)),
            Some(Micros::from_millis(2_015)),
            "a dearer one waits for the rest of its tokens"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_dearer_request_is_told_when_a_window_is_empty() {
        let window = WindowSpec::new(Counting::Log, 10, Micros::from_secs(60)).unwrap();
        let sent = Instant::now();
        let denial = Denial::new(2, Micros::from_secs(1), sent, sent);
        let full_at = sent + Duration::from_secs(60);
        let told = |cost| denial.covers(&window.into(), cost, full_at, sent);
        assert_eq!(told(2), Some(Micros::from_secs(1)));
        assert_eq!(told(5), Some(Micros::from_secs(60)));
        assert_eq!(told(1), None);
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
