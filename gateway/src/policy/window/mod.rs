//! Limits that count requests in windows of time: what they have in common.
//!
//! Three ways of counting, each a state and its decisions in a file of its own: [`fixed`] counts by the calendar, [`sliding`] weighs
//! the window before, [`log`] remembers each token. `store/redis/{fixed_window,sliding_window,sliding_log}.lua` are the same
//! decisions, and `tests/limit_property/` holds them equal, and both to a reference that knows nothing of how they count.
//!
//! Guarantees: a request is granted whole or not at all, in the order asked; a denial changes nothing but a state that no clock
//! could have led to; `retry_after` is the first instant at which one more request is granted if nobody else asks; every product
//! stays below 2^53, where a Lua number is exact. Must not: read a clock.

pub mod fixed;
pub mod sliding;
pub mod log;

use super::units::{Micros, StoreTime};

/// 2^53: the whole numbers that a Lua double holds exactly.
const EXACT: u64 = 1 << 53;

/// The longest window: a leap year and a day.
const LONGEST: Micros = Micros::from_secs(367 * 86_400);

/// The most tokens a log remembers of one client: each costs some hundred bytes of the store.
pub const LONGEST_LOG: u64 = 10_000;

/// How requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counting {
    /// In windows that follow each other, as the calendar has them.
    Fixed,
    /// In the present window, and a part of the one before: as much of it as the last window's length still covers.
    Sliding,
    /// One by one.
    Log,
}

/// So many tokens in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSpec {
    counting: Counting,
    limit: u64,
    window: Micros,
}

/// A specification that no store could keep, or keep exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Nothing would ever be granted.
    #[error("a limit of 0 would refuse every request: write at least 1")]
    NoLimit,
    /// More than a log may hold of one client.
    #[error(
        "a log remembers every token, at most {LONGEST_LOG} of a client: lower the limit, or count with `sliding_window`"
    )]
    LogTooLong,
    /// A weighted count would leave the exact range of a Lua number.
    #[error(
        "a limit this high in a window this long cannot be weighed exactly: lower one of them, or count with `fixed_window`"
    )]
    TooLarge,
    /// Windows are counted in whole milliseconds.
    #[error(
        "a window is whole milliseconds, at least one and at most 367 days: write it like `10s`, `1m` or `1d`"
    )]
    Window,
}

impl WindowSpec {
    /// At most `limit` tokens in each `window`, as `counting` counts them.
    ///
    /// # Errors
    /// A limit or a window that cannot be kept exactly; see [`WindowError`].
    pub fn new(counting: Counting, limit: u64, window: Micros) -> Result<Self, WindowError> {
        if limit == 0 {
            return Err(WindowError::NoLimit);
        }
        if window == Micros::ZERO || window > LONGEST || !window.get().is_multiple_of(1_000) {
            return Err(WindowError::Window);
        }
        let spec = Self {
            counting,
            limit,
            window,
        };
        let weighed = limit.checked_mul(spec.millis());
        match counting {
            Counting::Log if limit > LONGEST_LOG => Err(WindowError::LogTooLong),
            Counting::Sliding if weighed.is_none_or(|product| product > EXACT) => {
                Err(WindowError::TooLarge)
            }
            _ if limit > EXACT => Err(WindowError::TooLarge),
            _ => Ok(spec),
        }
    }

    /// How requests are counted.
    #[must_use]
    pub const fn counting(&self) -> Counting {
        self.counting
    }

    /// The most tokens in a window.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// How long a window is.
    #[must_use]
    pub const fn window(&self) -> Micros {
        self.window
    }

    /// The same limit divided by `parts`: what one of that many replicas may grant when they cannot ask each other. Where there are
    /// more parts than tokens each has one token, in a window longer by as much.
    #[must_use]
    pub fn divided(&self, parts: u64) -> Self {
        let parts = parts.max(1);
        let stretch = parts.div_ceil(self.limit);
        Self {
            limit: (self.limit / parts).max(1),
            window: Micros::new(self.window.get().saturating_mul(stretch)),
            ..*self
        }
    }

    const fn millis(&self) -> u64 {
        self.window.get() / 1_000
    }

    /// When the window around `now` began: windows are counted from the epoch, so that every replica has the same.
    const fn start(&self, now: StoreTime) -> StoreTime {
        StoreTime::new(now.get() - now.get() % self.window.get())
    }
}

/// Requests that are asked for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many.
    pub requests: u64,
    /// Tokens that each of them costs.
    pub cost: u64,
}

impl Batch {
    /// No request: what is asked by someone who only looks.
    pub const NONE: Self = Self {
        requests: 0,
        cost: 1,
    };

    /// One request of `cost` tokens.
    #[must_use]
    pub const fn one(cost: u64) -> Self {
        Self { requests: 1, cost }
    }

    /// How many of the requests fit into `available` tokens, and how many tokens those cost together.
    #[must_use]
    pub fn fitting(self, available: u64) -> (u64, u64) {
        let fitting = self.requests.min(available / self.cost.max(1));
        (fitting, fitting * self.cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_exactly_is_refused() {
        let day = Micros::from_secs(86_400);
        let of = |counting, limit, window| WindowSpec::new(counting, limit, window).map(|_| ());
        assert_eq!(of(Counting::Fixed, 0, day), Err(WindowError::NoLimit));
        assert_eq!(of(Counting::Fixed, EXACT, day), Ok(()));
        assert_eq!(
            of(Counting::Fixed, EXACT + 1, day),
            Err(WindowError::TooLarge)
        );
        assert_eq!(of(Counting::Sliding, 100_000_000, day), Ok(()));
        assert_eq!(
            of(Counting::Sliding, 110_000_000, day),
            Err(WindowError::TooLarge)
        );
        assert_eq!(of(Counting::Log, LONGEST_LOG, day), Ok(()));
        assert_eq!(
            of(Counting::Log, LONGEST_LOG + 1, day),
            Err(WindowError::LogTooLong)
        );
        for window in [
            Micros::ZERO,
            Micros::new(999),
            Micros::new(1_500),
            Micros::from_secs(368 * 86_400),
        ] {
            assert_eq!(of(Counting::Fixed, 1, window), Err(WindowError::Window));
        }
    }

    #[test]
    fn parts_together_admit_no_more_than_the_whole_does_in_the_long_run() {
        let whole = WindowSpec::new(Counting::Fixed, 10, Micros::from_secs(60)).unwrap();
        assert_eq!(whole.divided(3).limit(), 3);
        assert_eq!(whole.divided(3).window(), Micros::from_secs(60));
        assert_eq!(whole.divided(25).limit(), 1);
        assert_eq!(whole.divided(25).window(), Micros::from_secs(180));
    }
}
