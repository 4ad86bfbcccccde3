//! What operators see of a circuit.
//!
//! Guarantees: a bounded memory of transitions, the newest last. Must not: be read on a request's way.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::policy::circuit::{Cause, Change, Forced, State};
use crate::policy::ids::UpstreamName;
use crate::policy::units::{Micros, StoreTime};

/// Transitions remembered.
const REMEMBERED: usize = 64;

/// Whose circuit moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everybody's.
    Fleet,
    /// This replica's view alone.
    Replica,
}

impl Scope {
    /// The name in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Replica => "replica",
        }
    }
}

/// A transition as this replica saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Whose circuit moved.
    pub scope: Scope,
    /// When, on the store's clock; none if this replica has not heard from the store yet.
    pub at: Option<StoreTime>,
    /// What it was.
    pub from: State,
    /// What it became.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// The replica whose report or request did it, or the operator.
    pub by: Arc<str>,
    /// The fleet's epoch afterwards.
    pub epoch: u64,
    /// What this replica lets through from now on, all views together: the value of the gauge.
    pub effective: State,
}

impl Transition {
    pub(super) fn new(
        scope: Scope,
        change: &Change,
        at: Option<StoreTime>,
        epoch: u64,
        effective: State,
    ) -> Self {
        Self {
            scope,
            at,
            from: change.from,
            to: change.to,
            cause: change.cause,
            by: Arc::clone(&change.by),
            epoch,
            effective,
        }
    }
}

/// One upstream's circuit, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose.
    pub upstream: UpstreamName,
    /// What this replica lets through.
    pub state: State,
    /// What the fleet does, as last heard.
    pub fleet: State,
    /// What this replica's own view is.
    pub own: State,
    /// The fleet's epoch.
    pub epoch: u64,
    /// When the fleet's circuit last moved; none if it never did.
    pub since: Option<StoreTime>,
    /// How long until a probe is worth asking for.
    pub retry_after: Micros,
    /// The fleet's failures in a row, as last heard.
    pub failures: u32,
    /// An operator's decision, if one holds.
    pub forced: Option<Forced>,
    /// The last transitions, the newest last.
    pub transitions: Vec<Transition>,
}

/// The last transitions.
#[derive(Clone, Debug, Default)]
pub(super) struct History(VecDeque<Transition>);

impl History {
    pub(super) fn push(&mut self, transition: Transition) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(transition);
    }

    pub(super) fn to_vec(&self) -> Vec<Transition> {
        self.0.iter().cloned().collect()
    }
}
