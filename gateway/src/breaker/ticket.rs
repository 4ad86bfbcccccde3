//! When a call was let through, in one word.
//!
//! Guarantees: one atomic load says whether calls go through and, if they do, when this one began. Must not: be kept across
//! processes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of the generation. An outcome would have to be this many own transitions late to be taken for a fresh one.
const GENERATION_BITS: u32 = 11;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;

/// The epoch in which a call was let through, as far as this replica knew it, and its own generation.
///
/// From the highest bit: 52 of the fleet's epoch (microseconds until the year 2112), 11 of a count of the own view's transitions,
/// one that is set when not all calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

impl Ticket {
    pub(super) const fn new(epoch: u64, generation: u64, is_shut: bool) -> Self {
        let generation = generation & GENERATION_MASK;
        Self((epoch << (GENERATION_BITS + 1)) | (generation << 1) | is_shut as u64)
    }

    /// The same moment, seen from another epoch.
    pub(super) const fn of_epoch(self, epoch: u64) -> Self {
        let below = (1 << (GENERATION_BITS + 1)) - 1;
        Self((epoch << (GENERATION_BITS + 1)) | (self.0 & below))
    }

    /// The fleet's epoch.
    pub(super) const fn epoch(self) -> u64 {
        self.0 >> (GENERATION_BITS + 1)
    }

    /// Whether the own view has not moved since.
    pub(super) const fn is_of_generation(self, generation: u64) -> bool {
        (self.0 >> 1) & GENERATION_MASK == generation & GENERATION_MASK
    }

    pub(super) const fn is_shut(self) -> bool {
        self.0 & 1 == 1
    }
}

/// What every request looks at.
#[derive(Debug, Default)]
pub(super) struct Gate(AtomicU64);

impl Gate {
    /// The ticket of a call that begins now.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.0.load(Ordering::Acquire))
    }

    pub(super) fn set(&self, ticket: Ticket) {
        self.0.store(ticket.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_holds_what_it_was_made_of() {
        let epoch = 1_900_000_000_000_000;
        let ticket = Ticket::new(epoch, 4_097, true);
        assert_eq!(ticket.epoch(), epoch);
        assert!(ticket.is_shut() && ticket.is_of_generation(4_097));
        assert!(!ticket.is_of_generation(4_098));
        assert!(!Ticket::new(epoch, 1, false).is_shut());
        assert_eq!(Gate::default().ticket(), Ticket::new(0, 0, false));
    }
}
