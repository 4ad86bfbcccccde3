//! What the store's answers, and its silence, change in what is known.
//!
//! Guarantees: an answer that was overtaken by a later one is passed over, unless the store has lost its data. Must not: decide about
//! a call.

use std::time::Duration;

use tokio::time::Instant;

use super::knowledge::{Knowledge, LEAST_WAIT};
use super::snapshot::Scope;
use crate::policy::circuit::{Cause, Change, State, View};

/// How long to wait with the next question when the store gave no answer, though it is not lost.
const ASK_AGAIN: Duration = Duration::from_millis(100);

impl Knowledge {
    /// Numbers a question.
    pub(super) const fn question(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Whether an event about `epoch` may say something new.
    pub(super) fn is_news(&self, epoch: u64) -> bool {
        epoch != self.epoch() || (self.fleet == State::Closed && !self.fleet_is_failing())
    }

    /// Takes over the answer to a question. An older epoch is believed only from an answer that was asked for after a newer one was
    /// known: then the store has lost its data, else the answers have overtaken each other.
    pub(super) fn adopt(&mut self, view: &View, question: u64) {
        let (was, was_fleet) = (self.epoch(), self.fleet);
        if view.epoch < was && question < self.adopted {
            return;
        }
        self.adopted = self.question();
        let is_first = self.heard.is_none();
        self.heard = Some(view.clone());
        self.heard_at = Instant::now();
        self.fleet = view.state;
        self.wait(view.retry_after.to_duration());
        let is_new = view.epoch != was;
        if is_new && (view.state != State::Closed || is_by_operator(view)) {
            self.own.give_up();
        }
        let joins_in_peace = is_first && view.state == State::Closed && view.forced.is_none();
        // The state of a known epoch is news too, when the own view had taken over.
        let is_news = (is_new || view.state != was_fleet) && !joins_in_peace;
        if is_news {
            let forgotten = || forgotten(view, was_fleet);
            let last = view.last.clone().unwrap_or_else(forgotten);
            self.say(Scope::Fleet, &last);
        }
    }

    /// The store gave no answer to a call that asked for a probe.
    pub(super) fn unanswered(&mut self, is_lost: bool) {
        if is_lost {
            self.decide_alone(false);
        } else {
            self.wait(ASK_AGAIN);
        }
    }

    /// The own view takes over where the fleet's circuit was not closed, until the store is heard again.
    pub(super) fn decide_alone(&mut self, probe_failed: bool) {
        if self.fleet != State::Closed && self.hold().is_none() {
            self.own.take_over(probe_failed);
            self.fleet = State::Closed;
        }
    }

    fn wait(&mut self, span: Duration) {
        self.wait_until = Instant::now() + span.max(LEAST_WAIT);
    }
}

/// An operator's word counts for every view.
fn is_by_operator(view: &View) -> bool {
    let cause = view.last.as_ref().map(|last| last.cause);
    matches!(cause, Some(Cause::Forced | Cause::Reset))
}

/// What happened when a store no longer knows of any transition.
fn forgotten(view: &View, from: State) -> Change {
    Change {
        at: view.now,
        from,
        to: view.state,
        cause: Cause::Reset,
        by: "store".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::circuit::{CircuitSpec, Command, Outcomes, Quorum, Record};
    use crate::policy::units::{Micros, StoreTime};

    const NOW: StoreTime = StoreTime::new(1_700_000_000_000_000);

    fn spec() -> CircuitSpec {
        CircuitSpec {
            failures: 1,
            window: Micros::from_secs(60),
            reset: Micros::from_secs(10),
            probes: 1,
            quorum: Quorum::Auto,
            ratio: None,
            slow: None,
        }
    }

    /// The view of a circuit nobody knows, and of the same once it opened.
    fn closed_and_open() -> (View, View) {
        let mut record = Record::default();
        let closed = record.apply(&spec(), &Command::View, NOW);
        let failure = Command::Report {
            epoch: 0,
            replica: "other".into(),
            outcomes: Outcomes::FAILURE,
            probe: None,
        };
        (closed, record.apply(&spec(), &failure, NOW))
    }

    #[tokio::test(start_paused = true)]
    async fn an_overtaken_answer_is_passed_over_and_a_lost_record_is_not() {
        let (closed, open) = closed_and_open();
        let mut known = Knowledge::new(&spec(), &"a".into());
        let (slow, quick) = (known.question(), known.question());
        known.adopt(&open, quick);
        known.adopt(&closed, slow);
        assert_eq!(known.effective(), State::Open);
        let later = known.question();
        known.adopt(&closed, later);
        assert_eq!(known.effective(), State::Closed);
        let told: Vec<State> = known.unsaid().iter().map(|told| told.effective).collect();
        assert_eq!(told, [State::Open, State::Closed]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_own_view_takes_over_only_from_a_lost_store() {
        let (_, open) = closed_and_open();
        let mut known = Knowledge::new(&spec(), &"a".into());
        let question = known.question();
        known.adopt(&open, question);
        known.unanswered(false);
        assert_eq!((known.fleet(), known.own()), (State::Open, State::Closed));
        known.unanswered(true);
        assert_eq!((known.fleet(), known.own()), (State::Closed, State::Open));
        let question = known.question();
        known.adopt(&open, question);
        assert_eq!((known.fleet(), known.own()), (State::Open, State::Open));
    }
}
