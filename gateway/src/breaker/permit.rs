//! Leave for one call, and what became of it.
//!
//! Guarantees: a failure is known to the fleet, or the store's deadline has passed, before [`Permit::report`] returns; a success
//! that is no news costs no call; a permit dropped without a report counts for nothing, and if it was a probe another may have it.
//! Must not: know what makes a call a failure.

use std::time::Duration;

use super::circuit::{Circuit, Finally};
use super::knowledge::Knowledge;
use super::ticket::Ticket;
use crate::policy::circuit::{Outcomes, ProbeId, State};
use crate::policy::units::Micros;
use crate::store::Store;

/// What became of a call. Whether it was slow follows from how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The upstream did its work.
    Success,
    /// It did not.
    Failure,
}

/// The circuit lets no call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is open")]
pub struct Rejected {
    /// How long until it is worth trying again. Never zero.
    pub retry_after: Micros,
}

/// Leave for one call.
#[derive(Debug)]
#[must_use = "dropped without a report, a permit counts for nothing"]
pub struct Permit<'a> {
    circuit: &'a Circuit,
    ticket: Ticket,
    held: Held,
}

/// What a permit holds that others wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    /// A probe of the fleet's.
    Probe(ProbeId),
    /// A probe of the own view's.
    OwnProbe(ProbeId),
}

impl<'a> Permit<'a> {
    pub(super) const fn new(circuit: &'a Circuit, ticket: Ticket, held: Held) -> Self {
        Self {
            circuit,
            ticket,
            held,
        }
    }

    /// When the call began, for [`Circuit::late_failure`].
    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Whether the circuit's way back to closed depends on this call.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        !matches!(self.held, Held::Nothing)
    }

    /// Says what became of the call, and how long it `took`.
    pub async fn report(mut self, store: &Store, outcome: Outcome, took: Duration) {
        let circuit = self.circuit;
        let outcomes = circuit.outcomes(outcome, took);
        let is_success = outcome == Outcome::Success;
        if self.held == Held::Nothing && is_success && circuit.is_no_news(self.ticket, outcomes) {
            return;
        }
        // Boxed: most calls are no news, and all would hold the state of those that are.
        Box::pin(circuit.hear(store, self.ticket, self.held, outcomes)).await;
        // Only now: a report that was dropped half way gives its probe up.
        self.held = Held::Nothing;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        match self.held {
            Held::Nothing => {}
            Held::Probe(probe) => self.circuit.abandon(probe),
            Held::OwnProbe(probe) => self.circuit.with(|known| known.abandon_own(probe)),
        }
    }
}

impl Circuit {
    /// A call that was reported as a success failed after all: its body broke off.
    pub async fn late_failure(&self, store: &Store, ticket: Ticket) {
        self.failed(store, ticket, Outcomes::FAILURE).await;
    }

    fn outcomes(&self, outcome: Outcome, took: Duration) -> Outcomes {
        let slow = self.spec().slow.as_ref();
        match outcome {
            Outcome::Failure => Outcomes::FAILURE,
            Outcome::Success if slow.is_some_and(|slow| Micros::from(took) >= slow.duration) => {
                Outcomes::SLOW
            }
            Outcome::Success => Outcomes::SUCCESS,
        }
    }

    /// Counts a success; whether that is all there is to do about it.
    fn is_no_news(&self, ticket: Ticket, outcomes: Outcomes) -> bool {
        if self.is_counting() && ticket == self.ticket() {
            self.tally().add(outcomes.slow > 0);
        }
        !self.is_failing()
    }

    async fn hear(&self, store: &Store, ticket: Ticket, held: Held, outcomes: Outcomes) {
        match held {
            Held::Nothing if outcomes.failures == 0 => {
                self.succeeded(store, ticket, outcomes).await
            }
            Held::Nothing => self.failed(store, ticket, outcomes).await,
            Held::Probe(probe) => self.probed(store, ticket, outcomes, probe).await,
            Held::OwnProbe(probe) => self.probed_alone(store, ticket, outcomes, probe).await,
        }
    }

    /// A success while failures are being counted.
    async fn succeeded(&self, store: &Store, ticket: Ticket, outcomes: Outcomes) {
        if self.is_counting() {
            return self.flush(store).await;
        }
        self.with(|known| known.count(ticket, outcomes, None));
        if self.with(Knowledge::begin_telling) {
            let _telling = Finally(|| self.with(Knowledge::told));
            // Unheard, the next success says it.
            let _ = self.tell(store, ticket, outcomes, None).await;
        }
    }

    async fn failed(&self, store: &Store, ticket: Ticket, failure: Outcomes) {
        if ticket.epoch() < self.ticket().epoch() {
            // Too late to change anything: a thousand calls that time out together need not all say so.
            return;
        }
        let mut outcomes = failure;
        if self.is_counting() && ticket == self.ticket() {
            outcomes = outcomes.and(self.tally().take());
        }
        // The fleet first: if this opens its circuit, the own view need not open too.
        let _ = self.tell(store, ticket, outcomes, None).await;
        self.with(|known| known.count(ticket, outcomes, None));
    }

    async fn probed(&self, store: &Store, ticket: Ticket, outcomes: Outcomes, probe: ProbeId) {
        let told = self.tell(store, ticket, outcomes, Some(probe)).await;
        match told {
            Ok(view) if !view.stale && view.state == State::Closed => {
                self.with(Knowledge::probe_succeeded);
            }
            Err(_) if outcomes.failures > 0 && !store.is_up() => {
                self.with(Knowledge::probe_failed_untold);
            }
            // Untold, a success is lost: the lease ends and the next probe tells.
            _ => {}
        }
    }

    async fn probed_alone(
        &self,
        store: &Store,
        ticket: Ticket,
        outcomes: Outcomes,
        probe: ProbeId,
    ) {
        let is_news = outcomes.failures > 0 || self.is_counting() || self.is_failing();
        self.with(|known| known.count(ticket, outcomes, Some(probe)));
        if is_news {
            let _ = self.tell(store, ticket, outcomes, None).await;
        }
    }

    /// Tells the fleet and the own view of the successes since the last time.
    pub(super) async fn flush(&self, store: &Store) {
        let ticket = self.ticket();
        let outcomes = self.tally().take();
        if outcomes.calls() == 0 || ticket.is_shut() {
            return;
        }
        self.with(|known| known.count(ticket, outcomes, None));
        let _ = self.tell(store, ticket, outcomes, None).await;
    }
}
