//! Answers kept for the whole fleet: one target with its variants, who is asking the origin for one of them, and what was purged.
//!
//! Guarantees: what was asked for before a purge is never kept after it, in whatever order the messages arrive; of all replicas that
//! miss a variant at once, one is told that it is its turn; what is lost is only missed. Must not: read what it keeps.

use bytes::Bytes;

use super::{Store, StoreError};
use crate::policy::cacheability::Digest;
use crate::policy::units::Micros;

/// One variant of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VariantId {
    /// The target.
    pub target: Digest,
    /// The variant.
    pub variant: Digest,
}

/// A wish to have a variant, or to be the one who asks the origin for it.
#[derive(Clone, Debug)]
pub struct Recall<'a> {
    /// Which.
    pub id: VariantId,
    /// The fields by which the asker has told the variant: names in lower case, in order, with commas.
    pub vary: &'a str,
    /// Who wants the turn, if there is no fresh answer, and for how long they may take; none to look only.
    pub turn: Option<(u64, Micros)>,
}

/// What the store says to a [`Recall`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Grows with every purge of the target; what is kept must have been asked for under the present one.
    pub generation: u64,
    /// What there is.
    pub found: Found,
    /// Whose turn it is.
    pub turn: Turn,
}

/// What the store has of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// The target has other variants: told by these fields.
    OtherVary(String),
    /// This, kept so long ago.
    Value(Bytes, Micros),
}

/// Whose turn it is to ask the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nobody's: it was not asked for, or what there is is fresh.
    Nobodys,
    /// The asker's.
    Yours,
    /// Somebody else's.
    Others,
    /// Everybody's: what the origin answers is not for keeping.
    Everybodys,
}

/// Something to keep.
#[derive(Clone, Debug)]
pub struct Keep<'a> {
    /// Which.
    pub id: VariantId,
    /// The fields that told the variant.
    pub vary: &'a str,
    /// Under which generation it was asked for.
    pub generation: u64,
    /// What.
    pub value: Bytes,
    /// For how much longer it is fresh.
    pub fresh_for: Micros,
    /// For how much longer it is of use.
    pub keep_for: Micros,
    /// Whose turn it was.
    pub holder: u64,
    /// Variants of the target kept at a time; the oldest gives way.
    pub variants: u32,
}

impl Store {
    /// Looks for a variant, and takes the turn to ask for it if it is to be had.
    ///
    /// # Errors
    /// No answer; the turn may have been taken, and ends by itself.
    pub async fn recall(&self, recall: &Recall<'_>) -> Result<Recalled, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.recall(recall)),
            Self::Redis(redis) => redis.recall(recall).await,
        }
    }

    /// Keeps a variant and ends the turn; false when the target was purged after it was asked for.
    ///
    /// # Errors
    /// No answer; it may have been kept all the same.
    pub async fn keep(&self, keep: &Keep<'_>) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.keep(keep)),
            Self::Redis(redis) => redis.keep(keep).await,
        }
    }

    /// Ends a turn without an answer to keep; for `pass`, nobody need take turns.
    ///
    /// # Errors
    /// No answer; the turn ends by itself.
    pub async fn end_turn(
        &self,
        id: &VariantId,
        holder: u64,
        pass: Micros,
    ) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.end_turn(id, holder, pass);
                Ok(())
            }
            Self::Redis(redis) => redis.end_turn(id, holder, pass).await,
        }
    }

    /// Purges a target, all its variants, and tells every replica.
    ///
    /// # Errors
    /// It may not have been purged, or not every replica may know.
    pub async fn purge_target(&self, target: &Digest) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.purge_target(target);
                Ok(())
            }
            Self::Redis(redis) => redis.purge_target(target).await,
        }
    }

    /// Begins a new generation of everything under `tag`, later than any before, and tells every replica.
    ///
    /// # Errors
    /// It may not have begun, or not every replica may know.
    pub async fn purge_tag(&self, tag: &str) -> Result<u64, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.purge_tag(tag)),
            Self::Redis(redis) => redis.purge_tag(tag).await,
        }
    }

    /// The generation of every tag that was ever purged.
    ///
    /// # Errors
    /// No answer.
    pub async fn tags(&self) -> Result<Vec<(String, u64)>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.tags()),
            Self::Redis(redis) => redis.tags().await,
        }
    }
}
