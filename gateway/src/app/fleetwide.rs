//! Orders that concern several replicas: told through the store, carried out and written down by each that hears of them.
//!
//! Guarantees: what cannot be told is carried out nowhere; the replica an order was given through does not do it twice. Must not: rely
//! on every replica hearing: the audit says which did.

use serde_json::json;

use super::common::Common;
use super::operate::unavailable;
use crate::admin::audit::Entry;
use crate::admin::orders::{Audience, OrderError, Outcome, Replicas};
use crate::server::drain::Phase;
use crate::store::{Directive, Event, Store};
use crate::telemetry::logs;

/// Tells whom it concerns, and carries it out here if that is among them.
pub(super) async fn give(common: &Common, store: &Store, what: Directive, of: Audience) -> Outcome {
    check(common, &what)?;
    let own = common.replica.as_str();
    let (told, is_here) = match &of.replicas {
        Replicas::This => return carry_out(common, &what),
        Replicas::All => (None, true),
        Replicas::These(names) => (Some(names.clone()), names.iter().any(|name| name == own)),
    };
    let event = Event::Order {
        from: common.replica.clone(),
        replicas: told,
        what: what.clone(),
        by: of.by,
        reason: of.reason,
    };
    store.publish(&event).await.map_err(unavailable)?;
    if is_here {
        return carry_out(common, &what);
    }
    Ok(json!({ "ordered": of.replicas.to_string() }))
}

/// An order that another replica was given: whether it concerns this one, the event says.
pub(super) fn heard(common: &Common, event: Event) {
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
    let own = common.replica.as_str();
    let is_meant = replicas.is_none_or(|names| names.iter().any(|name| name == own));
    let is_printable = |text: &str| !text.chars().any(char::is_control);
    let texts = [from.as_str(), &by, &reason];
    if from == common.replica || !is_meant || !texts.into_iter().all(is_printable) {
        return;
    }
    let outcome = check(common, &what).and_then(|()| carry_out(common, &what));
    let (action, target) = match &what {
        Directive::LogLevel(level) => ("log-level", format!("{level}, ordered through {from}")),
        Directive::Drain => ("drain", format!("this replica, ordered through {from}")),
    };
    common.board.record(Entry {
        at: logs::unix_millis(),
        by,
        action: action.to_owned(),
        target,
        reason,
        result: outcome.map_or_else(|error| error.to_string(), |_| "ok".to_owned()),
        ..Entry::default()
    });
}

/// Whether it could be carried out: before anybody is told.
fn check(common: &Common, what: &Directive) -> Result<(), OrderError> {
    let Directive::LogLevel(filter) = what else {
        return Ok(());
    };
    if common.level.is_none() {
        let detail = "this process does not log for itself";
        return Err(OrderError::Invalid(detail.to_owned()));
    }
    logs::check_level(filter).map_err(|error| OrderError::Invalid(error.to_string()))
}

fn carry_out(common: &Common, what: &Directive) -> Outcome {
    match (what, &common.level) {
        (Directive::LogLevel(filter), Some(level)) => {
            let set = level.set(filter);
            set.map_err(|error| OrderError::Invalid(error.to_string()))?;
            tracing::info!(event = "log_level", level = %filter);
            Ok(json!({ "level": level.get() }))
        }
        (Directive::LogLevel(filter), None) => Ok(json!({ "level": filter })),
        (Directive::Drain, _) => {
            common.drain.enter(Phase::Leave);
            tracing::info!(event = "leaving");
            Ok(json!({ "phase": "leaving" }))
        }
    }
}
