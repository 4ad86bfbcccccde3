//! The token bucket, kept as the generic cell rate algorithm's one number.
//!
//! A bucket of capacity C refilled at r tokens a second is stored as the instant at which it will be full again (the
//! theoretical arrival time of ITU-T I.371, Annex A). A debit moves that instant later, a refill is time passing.
//! `store/redis/take.lua` and `give_back.lua` are the same arithmetic, and `tests/bucket_property.rs` holds them equal.
//!
//! Guarantees: over any interval of length t, counted in the clock's whole microseconds, the grants never exceed C + r·t; each
//! debit is rounded up to the next microsecond and each give-back down; a denial changes nothing but a state that no clock could
//! have led to. Must not: read a clock.

use super::units::{Micros, Rate, StoreTime};

/// 2^53: the whole numbers that a Lua double holds exactly.
const EXACT: u64 = 1 << 53;

/// 142 years of microseconds: added to a time of day before the year 2112, the sum is still below [`EXACT`].
const LONGEST_FILL: u64 = 1 << 52;

/// The size and refill of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketSpec {
    capacity: u64,
    refill: Rate,
}

/// A specification that no store could keep exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Nothing would ever be granted.
    #[error("a capacity of 0 would refuse every request: write at least 1")]
    NoCapacity,
    /// Time to full times tokens leaves the exact range of a Lua number.
    #[error(
        "a bucket this large fills too slowly to be counted exactly: lower the capacity or raise the refill"
    )]
    TooLarge,
}

impl BucketSpec {
    /// A bucket of `capacity` tokens, refilled continuously at `refill`.
    ///
    /// # Errors
    /// A capacity of zero, or one whose arithmetic would leave the range in which a Lua number is exact.
    pub fn new(capacity: u64, refill: Rate) -> Result<Self, SpecError> {
        if capacity == 0 {
            return Err(SpecError::NoCapacity);
        }
        let spec = Self { capacity, refill };
        let exact = capacity
            .checked_mul(refill.per().get())
            .and_then(|product| product.checked_add(refill.tokens()))
            .is_some_and(|bound| bound <= EXACT);
        if exact && spec.time_to_full().get() <= LONGEST_FILL {
            Ok(spec)
        } else {
            Err(SpecError::TooLarge)
        }
    }

    /// The most tokens the bucket holds.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How fast they come back.
    #[must_use]
    pub const fn refill(&self) -> Rate {
        self.refill
    }

    /// How long an empty bucket needs to be full, rounded up.
    #[must_use]
    pub const fn time_to_full(&self) -> Micros {
        self.cost(self.capacity)
    }

    /// The same bucket divided by `parts`: what one of that many replicas may grant when they cannot ask each other.
    /// Holds at least one token. The parts together never refill faster than the whole.
    #[must_use]
    pub fn divided(&self, parts: u64) -> Self {
        let parts = parts.max(1);
        let per = Micros::new(self.refill.per().get().saturating_mul(parts));
        let capacity = (self.capacity / parts).max(1);
        let refill = Rate::new(self.refill.tokens(), per).unwrap_or(self.refill);
        Self::new(capacity, refill).unwrap_or(*self)
    }

    /// Refill time of `tokens`, rounded up: what a debit costs.
    #[must_use]
    pub const fn cost(&self, tokens: u64) -> Micros {
        Micros::new((tokens * self.refill.per().get()).div_ceil(self.refill.tokens()))
    }

    /// Refill time of `tokens`, rounded down: what a give-back returns, and how long it certainly takes until they are there.
    #[must_use]
    pub const fn refund(&self, tokens: u64) -> Micros {
        Micros::new(tokens * self.refill.per().get() / self.refill.tokens())
    }

    /// What `wait`, the time until one more token can be granted, becomes when `returned` tokens of the debit just made go back: the
    /// time until `returned` + 1 can be. The debit was rounded up and its return is rounded down, so it may be a microsecond longer.
    #[must_use]
    pub const fn wait_after_return(&self, wait: Micros, returned: u64) -> Micros {
        let apart = self.refund(returned).get() + self.cost(1).get();
        let together = self.cost(returned + 1).get();
        wait.saturating_add(Micros::new(together.saturating_sub(apart)))
    }
}

/// What a caller wants of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Tokens for requests that wait now; granted as far as the bucket goes.
    pub need: u64,
    /// Tokens to hold ahead; granted only out of what is left after `need`, and never more than one part in `share` of it.
    pub spare: u64,
    /// The divisor that keeps one replica from holding what the others need. At least 1.
    pub share: u64,
}

impl Ask {
    /// Exactly `need` tokens, none ahead.
    #[must_use]
    pub const fn exactly(need: u64) -> Self {
        Self {
            need,
            spare: 0,
            share: 1,
        }
    }
}

/// A bucket's answer. All of it comes from one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Tokens debited: at most `need + spare`, possibly 0.
    pub granted: u64,
    /// Tokens left in the bucket afterwards.
    pub remaining: u64,
    /// When `granted < need`: how long until one more token can be granted. Else zero.
    pub retry_after: Micros,
    /// How long until the bucket is full again.
    pub full_after: Micros,
    /// The store's time of the decision.
    pub at: StoreTime,
}

/// A bucket at rest: the instant at which it is full. A bucket nobody knows is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: StoreTime,
}

impl Bucket {
    /// The bucket as it was stored.
    #[must_use]
    pub const fn new(full_at: StoreTime) -> Self {
        Self { full_at }
    }

    /// The instant from which this bucket need not be remembered.
    #[must_use]
    pub const fn full_at(&self) -> StoreTime {
        self.full_at
    }

    /// Debits what can be granted of `ask` at `now`.
    pub fn take(&mut self, spec: &BucketSpec, ask: Ask, now: StoreTime) -> Taken {
        let full_at = self.clamped(spec, now);
        let held = available(spec, full_at, now);
        let needed = ask.need.min(held);
        let ahead = ask.spare.min((held - needed) / ask.share.max(1));
        let granted = needed + ahead;
        let full_at = full_at.after(spec.cost(granted));
        // A state later than empty is from before the clock stepped back or the capacity shrank: a denial must mend it, or each
        // would find it as late as the one before.
        let beyond_empty = self.full_at > now.after(spec.time_to_full());
        if granted > 0 || (ask.need > 0 && beyond_empty) {
            self.full_at = full_at;
        }
        let retry_after = if needed < ask.need {
            full_at
                .after(spec.cost(1))
                .since(now.after(spec.time_to_full()))
        } else {
            Micros::ZERO
        };
        let remaining = available(spec, full_at, now);
        Taken {
            granted,
            remaining,
            retry_after,
            full_after: full_at.since(now),
            at: now,
        }
    }

    /// Returns `tokens` debited at `debited_at`; ignored when that is more than `max_age` ago, and never past full.
    pub fn give_back(
        &mut self,
        spec: &BucketSpec,
        tokens: u64,
        debited_at: StoreTime,
        max_age: Micros,
        now: StoreTime,
    ) -> bool {
        if now.since(debited_at) > max_age || debited_at > now || self.full_at <= now {
            return false;
        }
        let full_at = self
            .clamped(spec, now)
            .before(spec.refund(tokens.min(spec.capacity)));
        self.full_at = full_at.max(now);
        true
    }

    /// Between "full since" and "empty": a clock that stepped back or a smaller capacity must not lock a client out for longer
    /// than an empty bucket would.
    fn clamped(&self, spec: &BucketSpec, now: StoreTime) -> StoreTime {
        self.full_at.max(now).min(now.after(spec.time_to_full()))
    }
}

/// Whole tokens in a bucket that is full at `full_at`.
const fn available(spec: &BucketSpec, full_at: StoreTime, now: StoreTime) -> u64 {
    let room = now.after(spec.time_to_full()).since(full_at).get();
    room.saturating_mul(spec.refill.tokens()) / spec.refill.per().get()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(capacity: u64, rate: &str) -> BucketSpec {
        BucketSpec::new(capacity, rate.parse().unwrap()).unwrap()
    }

    const T0: StoreTime = StoreTime::new(1_700_000_000_000_000);

    #[test]
    fn a_new_bucket_is_full_and_then_empty() {
        let spec = spec(100, "10/1m");
        let mut bucket = Bucket::default();
        let all = bucket.take(&spec, Ask::exactly(150), T0);
        assert_eq!((all.granted, all.remaining), (100, 0));
        assert_eq!(all.retry_after, Micros::from_secs(6));
        assert_eq!(all.full_after, Micros::from_secs(600));
    }

    #[test]
    fn retry_after_is_true() {
        let spec = spec(3, "7/1s");
        let mut bucket = Bucket::default();
        bucket.take(&spec, Ask::exactly(3), T0);
        let denied = bucket.take(&spec, Ask::exactly(1), T0);
        let early = T0.after(denied.retry_after.saturating_sub(Micros::new(1)));
        assert_eq!(bucket.take(&spec, Ask::exactly(1), early).granted, 0);
        assert_eq!(
            bucket
                .take(&spec, Ask::exactly(1), T0.after(denied.retry_after))
                .granted,
            1
        );
    }

    #[test]
    fn the_wait_after_a_return_is_true() {
        for (tokens, taken) in (1..1_000).flat_map(|tokens| (1..=10).map(move |n| (tokens, n))) {
            let rate = Rate::new(tokens, Micros::from_secs(1)).unwrap();
            let spec = BucketSpec::new(10, rate).unwrap();
            let mut bucket = Bucket::default();
            bucket.take(&spec, Ask::exactly(taken), T0);
            let denied = bucket.take(&spec, Ask::exactly(10), T0);
            bucket.give_back(&spec, denied.granted, T0, Micros::ZERO, T0);
            let wait = spec.wait_after_return(denied.retry_after, denied.granted);
            let granted = |wait| {
                let mut later = bucket;
                let all = Ask::exactly(10);
                later.take(&spec, all, T0.after(wait)).granted
            };
            let early = wait.saturating_sub(Micros::new(1));
            assert_eq!(
                (granted(early), granted(wait)),
                (denied.granted, denied.granted + 1),
                "{tokens}/s, {taken} taken before"
            );
        }
    }

    #[test]
    fn what_is_held_ahead_shrinks_as_the_bucket_empties() {
        let spec = spec(100, "1/s");
        let mut bucket = Bucket::default();
        let greedy = Ask {
            need: 1,
            spare: 1_000,
            share: 4,
        };
        let grants: Vec<u64> = (0..20)
            .map(|_| bucket.take(&spec, greedy, T0).granted)
            .collect();
        assert_eq!(&grants[..3], &[25, 19, 14]);
        assert!(grants.is_sorted_by(|a, b| a >= b));
        assert_eq!(grants.iter().sum::<u64>(), 100);
        assert_eq!(
            grants[grants.iter().position(|grant| *grant == 0).unwrap() - 1],
            1
        );
    }

    #[test]
    fn a_late_give_back_is_ignored() {
        let spec = spec(10, "1/s");
        let mut bucket = Bucket::default();
        bucket.take(&spec, Ask::exactly(10), T0);
        let max_age = Micros::from_millis(50);
        assert!(!bucket.give_back(&spec, 4, T0, max_age, T0.after(Micros::from_millis(51))));
        assert!(bucket.give_back(&spec, 4, T0, max_age, T0.after(max_age)));
        assert_eq!(
            bucket
                .take(&spec, Ask::exactly(10), T0.after(max_age))
                .granted,
            4
        );
    }

    #[test]
    fn a_clock_that_stepped_back_locks_nobody_out_longer_than_an_empty_bucket() {
        let spec = spec(5, "1/s");
        let mut bucket = Bucket::new(T0.after(Micros::from_secs(86_400)));
        let denied = bucket.take(&spec, Ask::exactly(1), T0);
        assert_eq!(
            (denied.granted, denied.retry_after),
            (0, Micros::from_secs(1))
        );
        let later = T0.after(denied.retry_after);
        assert_eq!(bucket.take(&spec, Ask::exactly(1), later).granted, 1);
    }

    #[test]
    fn parts_of_a_bucket_never_add_up_to_a_faster_one() {
        let whole = spec(100, "10/1m");
        let part = whole.divided(3);
        assert_eq!(part.capacity(), 33);
        assert_eq!(part.refill(), "10/3m".parse().unwrap());
        assert_eq!(spec(2, "1/s").divided(5).capacity(), 1);
    }

    #[test]
    fn a_bucket_beyond_exact_numbers_is_refused() {
        assert_eq!(
            BucketSpec::new(0, "1/s".parse().unwrap()),
            Err(SpecError::NoCapacity)
        );
        assert_eq!(
            BucketSpec::new(1 << 40, "1/1d".parse().unwrap()),
            Err(SpecError::TooLarge)
        );
        let year = "1/365d".parse().unwrap();
        assert!(BucketSpec::new(142, year).is_ok());
        assert_eq!(BucketSpec::new(143, year), Err(SpecError::TooLarge));
    }
}
