//! What is asked of a circuit, and what it answers. Must not: decide.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::policy::ids::ReplicaId;
use crate::policy::units::{Micros, StoreTime};

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

/// Whether calls go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// All do.
    #[default]
    Closed,
    /// Probes do.
    HalfOpen,
    /// None does.
    Open,
}

impl State {
    /// The name in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// The number in metrics and in the shared store: the less goes through, the higher.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }

    /// The state of that number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Closed),
            1 => Some(Self::HalfOpen),
            2 => Some(Self::Open),
            _ => None,
        }
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

/// An operator's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forced {
    /// What holds.
    pub to: Hold,
    /// Who decided.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// When.
    pub at: StoreTime,
}

/// Why a circuit moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Too many failures in a row.
    Failures,
    /// Too large a share of failures.
    Ratio,
    /// Too large a share of slow calls.
    Slow,
    /// It was open for long enough.
    ResetElapsed,
    /// Enough probes succeeded.
    ProbesSucceeded,
    /// A probe failed.
    ProbeFailed,
    /// An operator forced it.
    Forced,
    /// An operator gave the decision back.
    Reset,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 8] = [
        Self::Failures,
        Self::Ratio,
        Self::Slow,
        Self::ResetElapsed,
        Self::ProbesSucceeded,
        Self::ProbeFailed,
        Self::Forced,
        Self::Reset,
    ];

    /// The name in logs and in the shared store.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Ratio => "ratio",
            Self::Slow => "slow",
            Self::ResetElapsed => "reset_elapsed",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ProbeFailed => "probe_failed",
            Self::Forced => "forced",
            Self::Reset => "reset",
        }
    }

    /// The cause of that name.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.label() == label)
    }
}

/// One transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: StoreTime,
    /// What it was.
    pub from: State,
    /// What it became; the same when only an operator's hold on it changed.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// The replica whose command did it, or the operator.
    pub by: Arc<str>,
}

/// A circuit's answer. All of it comes from one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Whether calls go through.
    pub state: State,
    /// The epoch that began with the last transition; 0 before the first.
    pub epoch: u64,
    /// How long until it is worth asking to probe; zero when calls go through or a probe may be granted.
    pub retry_after: Micros,
    /// The store's time of the decision.
    pub now: StoreTime,
    /// Failures in a row that count towards opening.
    pub failures: u32,
    /// An operator's decision, if one holds.
    pub forced: Option<Forced>,
    /// The probe granted by this command.
    pub probe: Option<ProbeId>,
    /// Whether the command came too late to change anything: another epoch, a probe that is no longer out, an operator's hold.
    pub stale: bool,
    /// Whether this command made the last transition.
    pub moved: bool,
    /// The last transition.
    pub last: Option<Change>,
}

impl View {
    /// Whether failures are being counted, so that a success would be news.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// The transition that this command made.
    #[must_use]
    pub fn transition(&self) -> Option<&Change> {
        self.last.as_ref().filter(|_| self.moved)
    }
}
