//! A limit of any algorithm: what the five have in common.
//!
//! Guarantees: what is said of a limit in a header is what it enforces. Must not: decide; each algorithm has its own file.

use super::concurrency::SlotsSpec;
use super::token_bucket::BucketSpec;
use super::units::Micros;
use super::window::{Counting, WindowSpec};

/// What a limit counts and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitSpec {
    /// Tokens added continuously up to a capacity.
    TokenBucket(BucketSpec),
    /// Requests in windows of time.
    Window(WindowSpec),
    /// Requests in flight.
    Concurrency(SlotsSpec),
}

impl From<BucketSpec> for LimitSpec {
    fn from(spec: BucketSpec) -> Self {
        Self::TokenBucket(spec)
    }
}

impl From<WindowSpec> for LimitSpec {
    fn from(spec: WindowSpec) -> Self {
        Self::Window(spec)
    }
}

impl From<SlotsSpec> for LimitSpec {
    fn from(spec: SlotsSpec) -> Self {
        Self::Concurrency(spec)
    }
}

impl LimitSpec {
    /// The algorithm's name, as in the configuration.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::TokenBucket(_) => "token_bucket",
            Self::Window(spec) => match spec.counting() {
                Counting::Fixed => "fixed_window",
                Counting::Sliding => "sliding_window",
                Counting::Log => "sliding_log",
            },
            Self::Concurrency(_) => "concurrency",
        }
    }

    /// The token bucket, if it is one.
    #[must_use]
    pub const fn bucket(&self) -> Option<&BucketSpec> {
        match self {
            Self::TokenBucket(spec) => Some(spec),
            Self::Window(_) | Self::Concurrency(_) => None,
        }
    }

    /// The most that one request can ever cost: capacity, limit, slots.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        match self {
            Self::TokenBucket(spec) => spec.capacity(),
            Self::Window(spec) => spec.limit(),
            Self::Concurrency(spec) => spec.limit(),
        }
    }

    /// The time in which [`Self::capacity`] tokens are granted in the long run; none where time has no part in it.
    #[must_use]
    pub const fn window(&self) -> Option<Micros> {
        match self {
            Self::TokenBucket(spec) => Some(spec.time_to_full()),
            Self::Window(spec) => Some(spec.window()),
            Self::Concurrency(_) => None,
        }
    }

    /// Whether a request holds what it takes until it is over.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self, Self::Concurrency(_))
    }
}
