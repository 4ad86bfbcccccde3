//! What is asked of a circuit. Must not: decide.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::view::State;
use crate::policy::ids::ReplicaId;
use crate::policy::units::Micros;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// How are you?
    View,
    /// This is how calls went that were begun in `epoch`.
    Report {
        /// The epoch in which they were let through.
        epoch: u64,
        /// Who made them.
        replica: ReplicaId,
        /// How they went. The successes are the older ones: a failure is reported as it happens.
        outcomes: Outcomes,
        /// The probe that this was, if it was one.
        probe: Option<ProbeId>,
    },
    /// May I probe?
    Admit {
        /// Who asks.
        replica: ReplicaId,
        /// How long the probe is held for it.
        lease: Micros,
    },
    /// The holder will not make its probe.
    Abandon {
        /// Which.
        probe: ProbeId,
    },
    /// An operator decides.
    Force {
        /// What holds from now on; none gives the decision back to the machine, which starts closed.
        to: Option<Hold>,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
}

/// How calls went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Calls that succeeded.
    pub successes: u32,
    /// Calls that failed.
    pub failures: u32,
    /// Those among them that were slow.
    pub slow: u32,
}

impl Outcomes {
    /// One call that succeeded.
    pub const SUCCESS: Self = Self::of(1, 0, 0);
    /// One call that failed.
    pub const FAILURE: Self = Self::of(0, 1, 0);
    /// One call that succeeded, slowly.
    pub const SLOW: Self = Self::of(1, 0, 1);

    /// So many of each.
    #[must_use]
    pub const fn of(successes: u32, failures: u32, slow: u32) -> Self {
        Self {
            successes,
            failures,
            slow,
        }
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self::of(
            self.successes.saturating_add(other.successes),
            self.failures.saturating_add(other.failures),
            self.slow.saturating_add(other.slow),
        )
    }

    /// Calls in all.
    #[must_use]
    pub const fn calls(self) -> u32 {
        self.successes.saturating_add(self.failures)
    }
}

/// One probe, never granted twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(NonZeroU64);

impl ProbeId {
    /// The probe of that number; zero is none.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// What an operator can hold a circuit at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Nothing goes through, not even a probe.
    Open,
    /// Everything does, and nothing is counted.
    Closed,
}

impl Hold {
    /// The state it looks like.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::Open => State::Open,
            Self::Closed => State::Closed,
        }
    }
}
