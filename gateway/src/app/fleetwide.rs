//! Orders that concern several replicas: told through the store, carried out and written down by each that hears of them.
//!
//! Guarantees: what cannot be told, or cannot be done here although it should be, is carried out nowhere; the replica an order was given
//! through does not do it twice; no order keeps others from being heard. Must not: rely on every replica hearing: the audit says which did.

use std::sync::Arc;

use serde_json::json;

use super::common::Common;
use super::operate::unavailable;
use super::reload::{ReloadError, Reloads};
use crate::admin::Board;
use crate::admin::audit::Entry;
use crate::admin::orders::{Audience, OrderError, Outcome, Replicas};
use crate::server::drain::Phase;
use crate::store::{Directive, Event, Store};
use crate::telemetry::logs;

/// What a reload is put down to, in log and API, wherever the order was given.
const CAUSE: &str = "api";

/// What this replica carries orders out with.
#[derive(Clone, Copy)]
pub(super) struct Fleetwide<'a> {
    pub(super) common: &'a Common,
    pub(super) reloads: &'a Reloads,
}

impl Fleetwide<'_> {
    /// Tells whom it concerns, and carries it out here if that is among them.
    pub(super) async fn give(&self, store: &Store, what: Directive, of: Audience) -> Outcome {
        let own = self.common.replica.as_str();
        let (told, is_here) = match &of.replicas {
            Replicas::This => return self.carry_out(&what).await,
            Replicas::All => (None, true),
            Replicas::These(names) => (Some(names.clone()), names.iter().any(|name| name == own)),
        };
        self.check(&what, is_here).await?;
        let event = Event::Order {
            from: self.common.replica.clone(),
            replicas: told,
            what: what.clone(),
            by: of.by,
            reason: of.reason,
        };
        store.publish(&event).await.map_err(unavailable)?;
        if is_here {
            return self.carry_out(&what).await;
        }
        Ok(json!({ "ordered": of.replicas.to_string() }))
    }

    /// An order that another replica was given: whether it concerns this one, the event says.
    pub(super) fn heard(&self, event: Event) {
        let Event::Order {
            from,
            replicas,
            what,
            by,
            reason,
        } = event
        else {
            return;
        };
        let own = self.common.replica.as_str();
        let is_meant = replicas.is_none_or(|names| names.iter().any(|name| name == own));
        let is_printable = |text: &str| !text.chars().any(char::is_control);
        let texts = [from.as_str(), &by, &reason];
        if from == self.common.replica || !is_meant || !texts.into_iter().all(is_printable) {
            return;
        }
        let (action, target) = match &what {
            Directive::LogLevel(level) => ("log-level", level.as_str()),
            Directive::Drain => ("drain", "this replica"),
            Directive::Undrain => ("undrain", "this replica"),
            Directive::Reload => ("reload", "this replica"),
        };
        let entry = Entry {
            at: logs::unix_millis(),
            by,
            action: action.to_owned(),
            target: format!("{target}, ordered through {from}"),
            reason,
            ..Entry::default()
        };
        let board = &self.common.board;
        match what {
            Directive::LogLevel(level) => record(board, entry, self.set_level(&level)),
            Directive::Drain => record(board, entry, self.leave()),
            Directive::Undrain => record(board, entry, self.come_back()),
            Directive::Reload => self.reload_later(entry),
        }
    }

    /// A reload takes its time; meanwhile other orders are to be heard. As many wait as there are places with the reloader.
    fn reload_later(&self, entry: Entry) {
        let board = Arc::clone(&self.common.board);
        match self.reloads.order(CAUSE) {
            Ok(outcome) => {
                tokio::spawn(async move {
                    let outcome = outcome.await.unwrap_or(Err(ReloadError::Unable));
                    record(&board, entry, reloaded(outcome));
                });
            }
            Err(error) => record(&board, entry, reloaded(Err(error))),
        }
    }

    /// Whether it could be carried out: before anybody is told.
    async fn check(&self, what: &Directive, is_here: bool) -> Result<(), OrderError> {
        match what {
            Directive::LogLevel(_) if self.common.level.is_none() => Err(no_log()),
            Directive::LogLevel(filter) => {
                logs::check_level(filter).map_err(|error| invalid(&error))
            }
            Directive::Reload if is_here => {
                self.reloads.check().await.map_err(|error| invalid(&error))
            }
            Directive::Reload | Directive::Drain | Directive::Undrain => Ok(()),
        }
    }

    async fn carry_out(&self, what: &Directive) -> Outcome {
        match what {
            Directive::LogLevel(filter) => self.set_level(filter),
            Directive::Drain => self.leave(),
            Directive::Undrain => self.come_back(),
            Directive::Reload => reloaded(self.reloads.ask(CAUSE).await),
        }
    }

    fn set_level(&self, filter: &str) -> Outcome {
        let level = self.common.level.as_ref().ok_or_else(no_log)?;
        level.set(filter).map_err(|error| invalid(&error))?;
        tracing::info!(event = "log_level", level = %filter);
        Ok(json!({ "level": level.get() }))
    }

    fn leave(&self) -> Outcome {
        self.common.drain.step_out();
        tracing::info!(event = "leaving");
        Ok(json!({ "phase": "leaving" }))
    }

    fn come_back(&self) -> Outcome {
        let drain = &self.common.drain;
        if drain.step_in() {
            tracing::info!(event = "returned");
        } else if drain.phase() != Phase::Run {
            let ending = "the replica was told to stop: there is no way back";
            return Err(OrderError::Invalid(ending.to_owned()));
        }
        Ok(json!({ "phase": "serving" }))
    }
}

fn record(board: &Board, entry: Entry, outcome: Outcome) {
    let result = outcome.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
    board.record(Entry { result, ..entry });
}

fn reloaded(outcome: super::reload::Outcome) -> Outcome {
    let waiting = outcome.map_err(|error| invalid(&error))?;
    Ok(json!({ "reloaded": true, "needs_restart": waiting }))
}

fn no_log() -> OrderError {
    invalid(&"this process does not log for itself")
}

fn invalid(error: &impl ToString) -> OrderError {
    OrderError::Invalid(error.to_string())
}
