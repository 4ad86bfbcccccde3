//! Who did what, when, and what came of it.
//!
//! Guarantees: bounded; each entry is a log event `audit` as well; what other replicas' operators did is taken over once, so that it
//! outlives the replica it was done through. Must not: hold a token.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// Entries kept.
const KEPT: usize = 200;
/// Entries told to the fleet.
pub(super) const TOLD: usize = 40;

/// One deed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// When, in milliseconds since 1970, by the replica's clock.
    pub at: u64,
    /// The replica it was done through.
    pub replica: String,
    /// Counts that replica's entries, so that each is known apart.
    pub number: u64,
    /// Who: `token` or `loopback`, and the name they gave.
    pub by: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// Why, in their words.
    pub reason: String,
    /// `ok`, or what went wrong.
    pub result: String,
}

/// The last deeds of the fleet.
#[derive(Debug, Default)]
pub(super) struct Audit(Mutex<VecDeque<Entry>>);

impl Audit {
    /// Writes an entry down, and logs it.
    pub(super) fn record(&self, mut entry: Entry) {
        let mut entries = self.lock();
        let own = entries.iter().filter(|one| one.replica == entry.replica);
        entry.number = own.map(|one| one.number).max().unwrap_or(0) + 1;
        tracing::info!(
            event = "audit",
            by = %entry.by,
            action = %entry.action,
            target = %entry.target,
            reason = %entry.reason,
            result = %entry.result,
        );
        put(&mut entries, entry);
    }

    /// Takes over what others wrote down.
    pub(super) fn take_over(&self, others: &[Entry]) {
        let mut entries = self.lock();
        for entry in others {
            let is_known = |one: &Entry| one.replica == entry.replica && one.number == entry.number;
            if !entries.iter().any(is_known) {
                put(&mut entries, entry.clone());
            }
        }
    }

    /// The last entries, the newest first.
    pub(super) fn last(&self) -> Vec<Entry> {
        self.lock().iter().rev().cloned().collect()
    }

    /// What was done through `replica`, the newest last.
    pub(super) fn of(&self, replica: &str) -> Vec<Entry> {
        let entries = self.lock();
        let own = entries.iter().rev().filter(|one| one.replica == replica);
        let mut own: Vec<_> = own.take(TOLD).cloned().collect();
        own.reverse();
        own
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In order of time, the oldest giving way.
fn put(entries: &mut VecDeque<Entry>, entry: Entry) {
    let place = entries.partition_point(|one| one.at <= entry.at);
    entries.insert(place, entry);
    if entries.len() > KEPT {
        entries.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(replica: &str, at: u64) -> Entry {
        Entry {
            at,
            replica: replica.to_owned(),
            ..Entry::default()
        }
    }

    #[test]
    fn others_entries_are_taken_over_once_and_in_order() {
        let (mine, theirs) = (Audit::default(), Audit::default());
        theirs.record(entry("b", 5));
        mine.record(entry("a", 1));
        mine.record(entry("a", 9));
        mine.take_over(&theirs.of("b"));
        mine.take_over(&theirs.of("b"));
        let times: Vec<_> = mine.last().iter().map(|one| one.at).collect();
        assert_eq!(times, [9, 5, 1]);
        assert_eq!(mine.of("a").len(), 2);
        assert_eq!(mine.of("a")[1].number, 2);
    }

    #[test]
    fn it_is_bounded() {
        let audit = Audit::default();
        (0..300).for_each(|at| audit.record(entry("a", at)));
        assert_eq!(audit.last().len(), KEPT);
        assert_eq!(
            (audit.of("a").len(), audit.of("a")[TOLD - 1].number),
            (TOLD, 300)
        );
    }
}
