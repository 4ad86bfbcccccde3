//! What the admin listener shows: the last report of this replica, the fleet, its recent past, and what operators did.
//!
//! Guarantees: a reader gets a finished text, made once a tick for all of them; the past is bounded. Must not: make reports.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::audit::{Audit, Entry};
use super::fleet::{Fleet, Point, merge};
use super::report::Report;

/// Moments kept: five minutes of seconds.
const KEPT: usize = 300;
/// How long a question counts as somebody watching.
const INTEREST: Duration = Duration::from_secs(10);

/// Shared by the listener and whoever makes reports.
#[derive(Debug)]
pub struct Board {
    fleet: watch::Sender<Arc<Fleet>>,
    state: Mutex<State>,
    audit: Audit,
    asked: Notify,
}

#[derive(Debug, Default)]
struct State {
    own: Report,
    past: VecDeque<Point>,
    last_asked: Option<Instant>,
}

impl Board {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            fleet: watch::Sender::new(Arc::default()),
            state: Mutex::default(),
            audit: Audit::default(),
            asked: Notify::new(),
        })
    }

    /// Adds to `report` what operators did through its replica: before it is told to the others.
    pub fn sign(&self, report: &mut Report) {
        report.audit = self.audit.of(&report.replica.id);
    }

    /// Shows `own` and, when they were heard, the reports of the others.
    pub fn show(&self, own: Report, others: Option<&[Report]>) {
        for report in others.unwrap_or_default() {
            self.audit.take_over(&report.audit);
        }
        let fleet = merge(
            &own,
            others.unwrap_or_default(),
            others.is_some(),
            self.audit.last(),
        );
        let mut state = self.lock();
        if state.past.len() == KEPT {
            state.past.pop_front();
        }
        state.past.push_back(Point::from(&fleet));
        state.own = own;
        drop(state);
        self.fleet.send_replace(Arc::new(fleet));
    }

    /// Whether somebody looks, so that the others' reports are worth reading each second.
    pub fn is_watched(&self) -> bool {
        let asked = self.lock().last_asked;
        self.fleet.receiver_count() > 0 || asked.is_some_and(|at| at.elapsed() < INTEREST)
    }

    /// Ends when somebody begins to look.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// The whole fleet, not older than about a second: whoever asks first waits for it.
    pub(super) async fn fleet(&self) -> Arc<Fleet> {
        if self.is_watched() {
            self.lock().last_asked = Some(Instant::now());
            return Arc::clone(&self.fleet.borrow());
        }
        self.lock().last_asked = Some(Instant::now());
        let mut fleet = self.fleet.subscribe();
        fleet.mark_unchanged();
        self.asked.notify_one();
        // In vain when reports are late: then the last one must do.
        let _ = tokio::time::timeout(Duration::from_secs(1), fleet.changed()).await;
        Arc::clone(&fleet.borrow())
    }

    /// Every picture of the fleet from now on, beginning with the last.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Fleet>> {
        let mut receiver = self.fleet.subscribe();
        receiver.mark_changed();
        self.asked.notify_one();
        receiver
    }

    pub(super) fn own(&self) -> Report {
        self.lock().own.clone()
    }

    pub(super) fn past(&self) -> Vec<Point> {
        self.lock().past.iter().cloned().collect()
    }

    /// Writes down what an operator did through this replica, or had it do through another.
    pub fn record(&self, entry: Entry) {
        let replica = self.lock().own.replica.id.clone();
        self.audit.record(Entry { replica, ..entry });
        self.wake();
    }

    /// Something happened that should show at once.
    pub fn wake(&self) {
        self.asked.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_bounded_and_the_present_is_the_last() {
        let board = Board::new();
        for at in 0..400 {
            let report = Report {
                at,
                ..Report::default()
            };
            board.show(report, None);
        }
        assert_eq!(board.past().len(), KEPT);
        assert_eq!(board.fleet.borrow().at, 399);
        assert!(!board.fleet.borrow().whole);
        assert!(!board.is_watched());
    }
}
