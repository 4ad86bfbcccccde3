//! When another attempt may follow one that failed, and after what wait.
//!
//! Guarantees: a wait is never longer than its cap; with full jitter it is anything from nothing to that, so that clients who
//! failed together do not come back together. Must not: know HTTP, or roll dice itself.

mod budget;

pub use budget::{BudgetSpec, Ledger, Spending};

use std::time::Duration;

/// What went wrong with an attempt that has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No connection, so that nothing of the request was sent.
    Connect,
    /// The connection broke, or what came back was not HTTP.
    Reset,
    /// No response head in time.
    Timeout,
}

/// How much of a wait is left to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// All of it.
    Full,
    /// Nothing: for those who count on the exact wait.
    None,
}

/// Waits that grow exponentially up to a cap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first wait.
    pub initial: Duration,
    /// What each further wait is multiplied by, at least 1.
    pub multiplier: f64,
    /// The longest wait.
    pub longest: Duration,
    /// How much of it is chance.
    pub jitter: Jitter,
}

impl Backoff {
    /// The wait before retry number `retry`, which counts from 1; `chance` is from 0 to 1.
    #[must_use]
    pub fn wait(&self, retry: u32, chance: f64) -> Duration {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.multiplier.powi(exponent);
        let capped = grown.min(self.longest.as_secs_f64());
        let share = match self.jitter {
            Jitter::Full => chance.clamp(0.0, 1.0),
            Jitter::None => 1.0,
        };
        Duration::try_from_secs_f64(capped * share).unwrap_or(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Backoff = Backoff {
        initial: Duration::from_millis(100),
        multiplier: 2.0,
        longest: Duration::from_secs(30),
        jitter: Jitter::Full,
    };

    #[test]
    fn waits_grow_to_the_cap() {
        let waits: Vec<_> = (1..=10)
            .map(|retry| PLAIN.wait(retry, 1.0).as_millis())
            .collect();
        assert_eq!(&waits[..4], &[100, 200, 400, 800]);
        assert_eq!(waits[9], 30_000);
        assert_eq!(PLAIN.wait(5, 0.0), Duration::ZERO);
        let exact = Backoff {
            jitter: Jitter::None,
            ..PLAIN
        };
        assert_eq!(exact.wait(2, 0.0), Duration::from_millis(200));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_its_cap(
            initial in 0_u64..10_000,
            multiplier in 1.0_f64..1e6,
            longest in 0_u64..60_000,
            retry in 0_u32..,
            chance in 0.0_f64..=1.0,
        ) {
            let longest = Duration::from_millis(longest);
            let backoff = Backoff { initial: Duration::from_millis(initial), multiplier, longest, jitter: Jitter::Full };
            prop_assert!(backoff.wait(retry, chance) <= longest);
        }
    }
}
