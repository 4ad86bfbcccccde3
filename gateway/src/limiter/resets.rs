//! Buckets that operators reset, on their way from the thread that hears of it to every thread that may remember them.
//!
//! Guarantees: bounded; a thread that fell too far behind to be told each forgets everything instead, which is always safe: the next
//! request of each client asks the store. Must not: be looked at on a request's way; threads look a few times a second.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::policy::ids::PolicyName;

/// Resets kept for threads that have not looked yet.
const KEPT: usize = 256;

/// One bucket, by the limit's name and the client's text.
pub(super) type Reset = (PolicyName, String);

/// What a thread has to forget.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Void {
    /// These.
    Some(Vec<Reset>),
    /// Everything.
    All,
}

/// The resets so far.
#[derive(Debug, Default)]
pub(super) struct Resets {
    /// How many there were; read without the lock by those who have nothing to do.
    count: AtomicU64,
    last: Mutex<VecDeque<Option<Reset>>>,
}

impl Resets {
    /// Tells every thread of one bucket, or of all when events may have been missed.
    pub(super) fn push(&self, reset: Option<Reset>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(reset);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// What came after the first `seen`, and how many there are now.
    pub(super) fn since(&self, seen: u64) -> (Void, u64) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let count = self.count();
        let missed = usize::try_from(count.saturating_sub(seen)).unwrap_or(usize::MAX);
        if missed > last.len() {
            return (Void::All, count);
        }
        let fresh = last.iter().skip(last.len() - missed).cloned();
        (
            fresh
                .collect::<Option<Vec<_>>>()
                .map_or(Void::All, Void::Some),
            count,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reset(client: u32) -> Reset {
        ("per-client".into(), client.to_string())
    }

    #[test]
    fn each_is_told_once_and_who_falls_behind_forgets_everything() {
        let resets = Resets::default();
        resets.push(Some(reset(1)));
        resets.push(Some(reset(2)));
        assert_eq!(resets.since(1), (Void::Some(vec![reset(2)]), 2));
        assert_eq!(resets.since(2), (Void::Some(vec![]), 2));
        resets.push(None);
        assert_eq!(resets.since(2), (Void::All, 3));
        let more = u32::try_from(KEPT).unwrap() + 1;
        (0..more).for_each(|client| resets.push(Some(reset(client))));
        assert_eq!(resets.since(3).0, Void::All);
        assert_eq!(
            resets.since(4 + u64::from(more) - 2).0,
            Void::Some(vec![reset(more - 1)])
        );
    }
}
