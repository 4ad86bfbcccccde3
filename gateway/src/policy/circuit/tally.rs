//! What is counted while a circuit is closed.
//!
//! Guarantees: bounded: a time for each failure that can matter, a name for each replica that can, ten sub-windows. Must not: decide.

use super::{CircuitSpec, Outcomes};
use crate::policy::ids::ReplicaId;
use crate::policy::units::{Micros, StoreTime};

/// Sub-windows of the sliding window: the share is that of the last nine to ten tenths of it.
const SLOTS: u64 = 10;

/// When each of a few replicas was last seen doing something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sightings(Vec<(ReplicaId, StoreTime)>);

impl Sightings {
    /// Notes a replica, and forgets the one not seen for longest beyond `most`.
    pub(super) fn note(&mut self, replica: &ReplicaId, now: StoreTime, most: usize) {
        self.0.retain(|(seen, _)| seen != replica);
        self.0.push((replica.clone(), now));
        let surplus = self.0.len().saturating_sub(most);
        self.0.drain(..surplus);
    }

    /// Forgets what is older than the window; what is from the future is from now.
    pub(super) fn settle(&mut self, window: Micros, now: StoreTime) {
        for (_, at) in &mut self.0 {
            *at = (*at).min(now);
        }
        self.0.retain(|(_, at)| now.since(*at) <= window);
    }

    /// How many replicas.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether some replica here is none of `others`.
    pub(super) fn any_beside(&self, others: &Self) -> bool {
        self.0
            .iter()
            .any(|(replica, _)| others.0.iter().all(|(other, _)| other != replica))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Failures in a row, by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Streak(Vec<StoreTime>);

impl Streak {
    /// Adds failures, and forgets the oldest beyond `most`.
    pub(super) fn add(&mut self, failures: u32, now: StoreTime, most: u32) {
        let added = failures.min(most) as usize;
        self.0.extend(std::iter::repeat_n(now, added));
        let surplus = self.0.len().saturating_sub(most as usize);
        self.0.drain(..surplus);
    }

    pub(super) fn settle(&mut self, window: Micros, now: StoreTime) {
        for at in &mut self.0 {
            *at = (*at).min(now);
        }
        self.0.retain(|at| now.since(*at) <= window);
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Calls by sub-window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window(Vec<Slot>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    index: u64,
    sums: Sums,
}

/// Calls, and how many of them failed or were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.slow += other.slow;
    }
}

impl Window {
    pub(super) fn add(&mut self, outcomes: Outcomes, spec: &CircuitSpec, now: StoreTime) {
        let sums = Sums {
            calls: outcomes.calls().into(),
            failures: outcomes.failures.into(),
            slow: outcomes.slow.into(),
        };
        let index = slot_of(spec, now);
        match self.0.last_mut() {
            Some(last) if last.index == index => last.sums.add(sums),
            _ => self.0.push(Slot { index, sums }),
        }
    }

    /// Forgets what slid out of the window, and what is from the future.
    pub(super) fn settle(&mut self, spec: &CircuitSpec, now: StoreTime) {
        let current = slot_of(spec, now);
        self.0
            .retain(|slot| slot.index <= current && slot.index + SLOTS > current);
    }

    pub(super) fn sums(&self) -> Sums {
        let mut total = Sums::default();
        self.0.iter().for_each(|slot| total.add(slot.sums));
        total
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn slot_of(spec: &CircuitSpec, now: StoreTime) -> u64 {
    now.get() / spec.window.get().div_ceil(SLOTS).max(1)
}
