//! What a circuit answers. Must not: decide.

use std::sync::Arc;

use super::command::{Hold, ProbeId};
use crate::policy::units::{Micros, StoreTime};

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
    /// An operator gave the decision back; or, as a replica sees it, the store lost the record.
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
