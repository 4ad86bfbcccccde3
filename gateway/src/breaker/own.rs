//! This replica's own view: a circuit of the same kind as the fleet's, fed with its own outcomes alone.
//!
//! Guarantees: opens on own failures whatever the fleet thinks; a call that began before its last transition changes nothing. Must
//! not: speak for anybody else.

use std::num::NonZeroU32;

use tokio::time::Instant;

use super::ticket::Ticket;
use crate::policy::circuit::{
    Change, CircuitSpec, Command, Outcomes, ProbeId, Quorum, Record, State, View,
};
use crate::policy::ids::ReplicaId;
use crate::policy::units::{Micros, StoreTime};

/// The own view.
#[derive(Clone, Debug)]
pub(super) struct Own {
    spec: CircuitSpec,
    replica: ReplicaId,
    record: Record,
    view: View,
    /// Grows with each transition, and each time the view is given up.
    generation: u64,
    origin: Instant,
}

impl Own {
    pub(super) fn new(spec: &CircuitSpec, replica: &ReplicaId) -> Self {
        let spec = CircuitSpec {
            quorum: Quorum::Replicas(NonZeroU32::MIN),
            ..spec.clone()
        };
        let mut record = Record::default();
        let view = record.apply(&spec, &Command::View, StoreTime::new(1));
        Self {
            spec,
            replica: replica.clone(),
            record,
            view,
            generation: 0,
            origin: Instant::now(),
        }
    }

    /// Goes by `spec` from now on; what happened so far still counts.
    pub(super) fn respecify(&mut self, spec: &CircuitSpec) {
        self.spec = CircuitSpec {
            quorum: Quorum::Replicas(NonZeroU32::MIN),
            ..spec.clone()
        };
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) const fn state(&self) -> State {
        self.view.state
    }

    pub(super) const fn is_failing(&self) -> bool {
        self.view.is_failing()
    }

    /// How long until it may let a probe through.
    pub(super) fn retry_after(&mut self) -> Micros {
        self.apply(&Command::View);
        self.view.retry_after
    }

    /// Counts outcomes of a call that began with `ticket`. Returns the transition they made.
    pub(super) fn report(
        &mut self,
        ticket: Ticket,
        outcomes: Outcomes,
        probe: Option<ProbeId>,
    ) -> Option<Change> {
        if !ticket.is_of_generation(self.generation) {
            return None;
        }
        self.apply(&Command::Report {
            epoch: self.view.epoch,
            replica: self.replica.clone(),
            outcomes,
            probe,
        })
    }

    /// Asks to probe: the probe if one is granted, else how long to wait; and the transition this made.
    pub(super) fn admit(&mut self, lease: Micros) -> (Result<ProbeId, Micros>, Option<Change>) {
        let change = self.apply(&Command::Admit {
            replica: self.replica.clone(),
            lease,
        });
        (self.view.probe.ok_or(self.view.retry_after), change)
    }

    pub(super) fn abandon(&mut self, probe: ProbeId) {
        self.apply(&Command::Abandon { probe });
    }

    /// Begins again, closed: somebody else decides from now on.
    pub(super) fn give_up(&mut self) {
        if self.view.state != State::Closed || self.view.is_failing() {
            self.apply(&Command::Force {
                to: None,
                by: self.replica.as_str().into(),
                reason: "".into(),
            });
        }
    }

    /// Opens, to decide alone where the fleet's circuit was not closed: a probe may go at once, unless one has just failed.
    pub(super) fn take_over(&mut self, probe_failed: bool) {
        if self.view.state != State::Closed {
            return;
        }
        let mut since = self.now();
        if !probe_failed {
            since = since.before(self.spec.reset);
        }
        let failures = Command::Report {
            epoch: self.view.epoch,
            replica: self.replica.clone(),
            outcomes: Outcomes::of(0, self.spec.failures.max(1), 0),
            probe: None,
        };
        self.apply_at(&failures, since);
    }

    fn apply(&mut self, command: &Command) -> Option<Change> {
        self.apply_at(command, self.now())
    }

    fn apply_at(&mut self, command: &Command, now: StoreTime) -> Option<Change> {
        self.view = self.record.apply(&self.spec, command, now);
        let change = self.view.transition().cloned();
        self.generation += u64::from(change.is_some());
        change
    }

    /// The monotonic clock, as this view's store time. It begins late enough to look back from.
    fn now(&self) -> StoreTime {
        let start = StoreTime::new(1)
            .after(self.spec.reset)
            .after(self.spec.window);
        start.after(self.origin.elapsed().into())
    }
}
