//! What this replica knows of one upstream's circuit, and what follows from it.
//!
//! Two views decide together, and calls go through only when both let them:
//! - the **fleet's**, as last heard from the store;
//! - the replica's **own** ([`Own`]), which opens on its own failures, quorum or not, store or not.
//!
//! When the fleet's circuit opens, the own view is given up, so that the fleet's probe is the only one. When the store is lost while
//! the fleet's circuit is not closed, the own view takes over from there. When the store comes back, the fleet's view is adopted, but
//! an own view that is open stays so until its own probe succeeds: what this replica found out meanwhile is not forgotten.
//!
//! Guarantees: calls go through only when both views let them. Must not: await.

use std::time::Duration;

use tokio::time::Instant;

use super::own::Own;
use super::snapshot::{Scope, Transition};
use super::ticket::Ticket;
use crate::policy::circuit::{Change, CircuitSpec, Hold, Outcomes, ProbeId, State, View};
use crate::policy::ids::ReplicaId;
use crate::policy::units::{Micros, StoreTime};

/// The least a refusal says, and how long it spares the store the next question.
pub(super) const LEAST_WAIT: Duration = Duration::from_millis(1);

/// What to do with a call while not all go through.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    /// All go through after all.
    Through(Ticket),
    /// None for so long.
    Refuse(Micros),
    /// This one is the own view's probe.
    OwnProbe(Ticket, ProbeId),
    /// The store must be asked, by this call alone.
    Ask,
}

/// What is known, under the circuit's lock.
#[derive(Clone, Debug)]
pub(super) struct Knowledge {
    pub(super) own: Own,
    /// The last answer of the store.
    pub(super) heard: Option<View>,
    pub(super) heard_at: Instant,
    /// Questions and answers so far, to tell which answer was overtaken.
    pub(super) sequence: u64,
    /// The number at which the last answer was adopted.
    pub(super) adopted: u64,
    /// The fleet's state; closed when the own view has taken over.
    pub(super) fleet: State,
    /// Until then the store need not be asked.
    pub(super) wait_until: Instant,
    /// Whether a call is asking the store for a probe.
    is_asking: bool,
    /// Whether a success is on its way to the store.
    is_telling: bool,
    unsaid: Vec<Transition>,
}

impl Knowledge {
    pub(super) fn new(spec: &CircuitSpec, replica: &ReplicaId) -> Self {
        Self {
            own: Own::new(spec, replica),
            heard: None,
            heard_at: Instant::now(),
            sequence: 0,
            adopted: 0,
            fleet: State::Closed,
            wait_until: Instant::now(),
            is_asking: false,
            is_telling: false,
            unsaid: Vec::new(),
        }
    }

    /// The same knowledge for a circuit that goes by `spec`. Calls under way answer to the circuit they began with.
    pub(super) fn respecified(&self, spec: &CircuitSpec) -> Self {
        let mut known = self.clone();
        known.own.respecify(spec);
        (known.is_asking, known.is_telling) = (false, false);
        known.unsaid.clear();
        known
    }

    // === What follows ===

    /// The ticket of a call that begins now.
    pub(super) fn ticket(&self) -> Ticket {
        let is_shut = self.effective() != State::Closed;
        Ticket::new(self.epoch(), self.own.generation(), is_shut)
    }

    /// Whether a success would be news to the fleet or to the own view.
    pub(super) fn is_failing(&self) -> bool {
        self.fleet_is_failing() || self.own.is_failing()
    }

    /// What goes through: as much as the stricter view lets.
    pub(super) fn effective(&self) -> State {
        let (fleet, own) = (self.fleet, self.own.state());
        if fleet.number() > own.number() {
            fleet
        } else {
            own
        }
    }

    pub(super) const fn fleet(&self) -> State {
        self.fleet
    }

    pub(super) const fn own(&self) -> State {
        self.own.state()
    }

    pub(super) const fn heard(&self) -> Option<&View> {
        self.heard.as_ref()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.heard.as_ref().map_or(0, |view| view.epoch)
    }

    /// How long until a probe is worth asking for.
    pub(super) fn retry_after(&mut self) -> Micros {
        let fleet = match self.fleet {
            State::Closed => Micros::ZERO,
            _ => self
                .wait_until
                .saturating_duration_since(Instant::now())
                .into(),
        };
        fleet.max(self.own.retry_after())
    }

    /// Transitions nobody was told of yet.
    pub(super) fn unsaid(&mut self) -> Vec<Transition> {
        std::mem::take(&mut self.unsaid)
    }

    pub(super) fn fleet_is_failing(&self) -> bool {
        self.fleet == State::Closed && self.heard.as_ref().is_some_and(View::is_failing)
    }

    pub(super) fn hold(&self) -> Option<Hold> {
        let forced = self.heard.as_ref()?.forced.as_ref()?;
        Some(forced.to)
    }

    /// The present on the store's clock.
    fn store_time(&self) -> Option<StoreTime> {
        let heard = self.heard.as_ref()?;
        Some(heard.now.after(self.heard_at.elapsed().into()))
    }

    pub(super) fn say(&mut self, scope: Scope, change: &Change) {
        let at = match scope {
            Scope::Fleet => Some(change.at),
            Scope::Replica => self.store_time(),
        };
        let transition = Transition::new(scope, change, at, self.epoch(), self.effective());
        self.unsaid.push(transition);
    }
}

// === What is let through, and how it went ===

impl Knowledge {
    /// What to do with a call.
    pub(super) fn plan(&mut self, lease: Micros) -> Plan {
        let wait = self.retry_after().max(LEAST_WAIT.into());
        match (self.fleet, self.own.state()) {
            (State::Closed, State::Closed) => Plan::Through(self.ticket()),
            (State::Closed, _) => self.probe_alone(lease),
            _ if self.hold() == Some(Hold::Open) || self.is_asking => Plan::Refuse(wait),
            _ if wait > LEAST_WAIT.into() || self.wait_until > Instant::now() => Plan::Refuse(wait),
            _ => {
                self.is_asking = true;
                Plan::Ask
            }
        }
    }

    fn probe_alone(&mut self, lease: Micros) -> Plan {
        let (answer, change) = self.own.admit(lease);
        if let Some(change) = change {
            self.say(Scope::Replica, &change);
        }
        match answer {
            Ok(probe) => Plan::OwnProbe(self.ticket(), probe),
            Err(wait) => Plan::Refuse(wait.max(LEAST_WAIT.into())),
        }
    }

    /// The call that asked the store has done so, or was dropped.
    pub(super) const fn asked(&mut self) {
        self.is_asking = false;
    }

    /// Whether this success is the one to tell the fleet.
    pub(super) fn begin_telling(&mut self) -> bool {
        let tells = self.fleet_is_failing() && !self.is_telling;
        self.is_telling |= tells;
        tells
    }

    /// The success was told, or its call was dropped.
    pub(super) const fn told(&mut self) {
        self.is_telling = false;
    }

    /// Counts outcomes in the own view, unless the fleet has moved since the call began or an operator decides.
    pub(super) fn count(&mut self, ticket: Ticket, outcomes: Outcomes, probe: Option<ProbeId>) {
        let is_late = ticket.epoch() != self.epoch() || self.fleet != State::Closed;
        if is_late || self.hold().is_some() {
            return;
        }
        if let Some(change) = self.own.report(ticket, outcomes, probe) {
            self.say(Scope::Replica, &change);
        }
    }

    /// A probe of the fleet's succeeded and closed its circuit: the own view has no more to say.
    pub(super) fn probe_succeeded(&mut self) {
        if self.fleet == State::Closed {
            self.own.give_up();
        }
    }

    /// A probe of the fleet's failed, and the store could not be told.
    pub(super) fn probe_failed_untold(&mut self) {
        self.decide_alone(true);
    }

    pub(super) fn abandon_own(&mut self, probe: ProbeId) {
        self.own.abandon(probe);
    }
}
