//! What the world of the lease protocol is made of. All times are relative to now, so that runs of any length have finitely many
//! states. Must not: decide.

use super::meter::Meter;

/// The most replicas of a model.
pub(super) const REPLICAS: usize = 3;
/// The most give-backs on their way at once; a further one is lost.
pub(super) const RETURNS: usize = 3;
/// The longest lifetime of a model, in ticks.
pub(super) const LIFETIME: usize = 6;

/// Tokens of one debit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tokens {
    /// How many.
    pub count: u8,
    /// Ticks of the holder's clock since the debit was sent.
    pub sent: u8,
    /// Ticks of the store's clock since the debit was decided.
    pub debited: u8,
}

/// A debit under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// None is.
    #[default]
    None,
    /// On its way to the store.
    Asked {
        /// Tokens for requests that wait.
        need: u8,
        /// Tokens to hold ahead.
        spare: u8,
        /// Ticks of the caller's clock since.
        sent: u8,
    },
    /// On its way back.
    Decided {
        /// What was needed.
        need: u8,
        /// What was granted.
        granted: Tokens,
    },
}

/// One replica, as far as one client's bucket is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Replica {
    /// At most one debit at a time.
    pub call: Call,
    /// Held ahead, the older first.
    pub lease: [Tokens; 2],
    /// Tokens granted to requests, less those that went back unspent, by ticks of the replica's clock since.
    pub granted: [u8; LIFETIME],
    /// Ticks since this replica's clock last missed one; counted up to where it may miss another.
    pub steady: u8,
}

impl Replica {
    /// Tokens held ahead.
    #[must_use]
    pub fn held(&self) -> u8 {
        self.lease.iter().map(|tokens| tokens.count).sum()
    }

    /// Tokens granted within the last lifetime, less those that went back unspent: what may be held ahead.
    #[must_use]
    pub fn recent(&self) -> u8 {
        self.granted.iter().sum()
    }

    /// A token that goes back unspent uses up a grant, the newest first: that one would back others for the longest.
    pub fn use_up(&mut self, mut count: u8) {
        for granted in &mut self.granted {
            let part = count.min(*granted);
            *granted -= part;
            count -= part;
        }
    }
}

/// Everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct World {
    /// Ticks until the shared bucket is full.
    pub full_in: u16,
    /// The replicas; those beyond the number of the model stay as they are.
    pub replicas: [Replica; REPLICAS],
    /// Give-backs on their way; of these only the count and the age of the debit matter.
    pub returns: [Tokens; RETURNS],
    /// Admissions against the promise.
    pub meter: Meter,
    /// Times the store lost everything.
    pub losses: u8,
}

impl World {
    /// Sends tokens back. When too many are on their way, or they are none, nothing happens.
    pub fn send_back(&mut self, tokens: Tokens) {
        if let Some(free) = self.returns.iter_mut().find(|known| known.count == 0) {
            *free = Tokens { sent: 0, ..tokens };
        }
    }

    /// The same world with everything in its usual order: replicas have no names, and neither have messages.
    pub fn sort(&mut self, replicas: usize) {
        for tokens in self.replicas.iter_mut().flat_map(|one| &mut one.lease) {
            if tokens.count == 0 {
                *tokens = Tokens::default();
            }
        }
        for tokens in &mut self.returns {
            if tokens.count == 0 {
                *tokens = Tokens::default();
            }
        }
        self.replicas[..replicas].sort_unstable();
        self.returns.sort_unstable();
    }
}
