//! Kept answers of the gateways that share an embedded store.
//!
//! Guarantees: the same answers as the shared store's script; at most [`MOST_BYTES`] of what is kept, the oldest giving way, and
//! [`MOST_TARGETS`]. Must not: read what it keeps.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::policy::cacheability::Digest;
use crate::policy::units::{Micros, StoreTime};
use crate::store::cache::{Found, Keep, Recall, Recalled, Turn, VariantId};

/// Bytes kept in all.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Variants of a target known at a time; turns and passes of those that nobody keeps must not pile up.
const MOST_VARIANTS: usize = 256;
/// Targets known at a time.
const MOST_TARGETS: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    targets: BTreeMap<Digest, Target>,
    bytes: usize,
    tags: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Target {
    generation: u64,
    vary: Option<String>,
    variants: BTreeMap<Digest, Variant>,
    touched: StoreTime,
}

#[derive(Debug, Default)]
struct Variant {
    answer: Option<Answer>,
    turn: Option<(u64, StoreTime)>,
    pass_until: StoreTime,
}

#[derive(Debug)]
struct Answer {
    value: Bytes,
    at: StoreTime,
    fresh_until: StoreTime,
    keep_until: StoreTime,
}

impl Cache {
    pub(super) fn recall(&self, recall: &Recall<'_>, now: StoreTime) -> Recalled {
        let mut kept = self.lock();
        let target = kept.targets.entry(recall.id.target).or_default();
        target.touched = now;
        let generation = target.generation;
        let recalled = target.recall(recall, now);
        kept.shrink();
        let (found, turn) = recalled;
        Recalled {
            generation,
            found,
            turn,
        }
    }

    pub(super) fn keep(&self, keep: &Keep<'_>, now: StoreTime) -> bool {
        let mut kept = self.lock();
        let target = kept.targets.entry(keep.id.target).or_default();
        target.touched = now;
        let before = target.bytes();
        let done = target.keep(keep, now);
        let after = target.bytes();
        kept.bytes = kept.bytes + after - before;
        kept.shrink();
        done
    }

    pub(super) fn end_turn(&self, id: &VariantId, holder: u64, pass: Micros, now: StoreTime) {
        let mut kept = self.lock();
        let target = kept.targets.entry(id.target).or_default();
        target.touched = now;
        let variant = target.variant(&id.variant);
        variant.give_up(holder);
        if pass > Micros::ZERO {
            variant.pass_until = now.after(pass);
        }
        kept.shrink();
    }

    pub(super) fn purge_target(&self, target: &Digest, now: StoreTime) {
        let mut kept = self.lock();
        let purged = Target {
            generation: now.get(),
            touched: now,
            ..Target::default()
        };
        let before = kept.targets.insert(*target, purged);
        kept.bytes -= before.map_or(0, |before| before.bytes());
        kept.shrink();
    }

    pub(super) fn purge_tag(&self, tag: &str, now: StoreTime) -> u64 {
        let mut kept = self.lock();
        let last = kept.tags.get(tag).copied().unwrap_or_default();
        let generation = now.get().max(last + 1);
        kept.tags.insert(tag.to_owned(), generation);
        generation
    }

    pub(super) fn tags(&self) -> Vec<(String, u64)> {
        let kept = self.lock();
        kept.tags
            .iter()
            .map(|(tag, generation)| (tag.clone(), *generation))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Lets go of what was touched longest ago until all fits.
    fn shrink(&mut self) {
        while self.bytes > MOST_BYTES || self.targets.len() > MOST_TARGETS {
            let oldest = self.targets.iter().min_by_key(|(_, target)| target.touched);
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
                return;
            };
            let gone = self.targets.remove(&oldest);
            self.bytes -= gone.map_or(0, |gone| gone.bytes());
        }
    }
}

impl Target {
    fn bytes(&self) -> usize {
        let answers = self.variants.values().filter_map(|one| one.answer.as_ref());
        answers.map(|answer| answer.value.len()).sum()
    }

    fn variant(&mut self, id: &Digest) -> &mut Variant {
        if self.variants.len() >= MOST_VARIANTS && !self.variants.contains_key(id) {
            self.variants.retain(|_, variant| variant.answer.is_some());
        }
        self.variants.entry(*id).or_default()
    }

    fn recall(&mut self, recall: &Recall<'_>, now: StoreTime) -> (Found, Turn) {
        if let Some(vary) = &self.vary
            && vary != recall.vary
        {
            return (Found::OtherVary(vary.clone()), Turn::Nobodys);
        }
        let variant = self.variant(&recall.id.variant);
        let answer = variant.answer.as_ref();
        let answer = answer.filter(|answer| answer.keep_until > now);
        let found = answer.map_or(Found::Nothing, |answer| {
            Found::Value(answer.value.clone(), now.since(answer.at))
        });
        let is_fresh = answer.is_some_and(|answer| answer.fresh_until > now);
        let turn = match (recall.turn, variant.turn) {
            (None, _) => Turn::Nobodys,
            _ if is_fresh => Turn::Nobodys,
            _ if variant.pass_until > now => Turn::Everybodys,
            (Some((asker, _)), Some((holder, until))) if holder != asker && until > now => {
                Turn::Others
            }
            (Some((asker, span)), _) => {
                variant.turn = Some((asker, now.after(span)));
                Turn::Yours
            }
        };
        (found, turn)
    }

    fn keep(&mut self, keep: &Keep<'_>, now: StoreTime) -> bool {
        if self.generation != keep.generation {
            if let Some(variant) = self.variants.get_mut(&keep.id.variant) {
                variant.give_up(keep.holder);
            }
            return false;
        }
        if self.vary.as_deref().is_some_and(|vary| vary != keep.vary) {
            self.variants.values_mut().for_each(|one| one.answer = None);
        }
        self.make_room(&keep.id.variant, keep.variants);
        self.vary = Some(keep.vary.to_owned());
        let variant = self.variants.entry(keep.id.variant).or_default();
        variant.answer = Some(Answer {
            value: keep.value.clone(),
            at: now,
            fresh_until: now.after(keep.fresh_for),
            keep_until: now.after(keep.keep_for),
        });
        variant.pass_until = StoreTime::default();
        variant.give_up(keep.holder);
        true
    }

    fn make_room(&mut self, own: &Digest, most: u32) {
        let others = self.variants.iter().filter_map(|(id, variant)| {
            let at = variant.answer.as_ref()?.at;
            (id != own).then_some((at, *id))
        });
        let others: Vec<_> = others.collect();
        if others.len() >= most as usize
            && let Some((_, oldest)) = others.into_iter().min()
        {
            self.variants.remove(&oldest);
        }
    }
}

impl Variant {
    fn give_up(&mut self, asker: u64) {
        if self.turn.is_some_and(|(holder, _)| holder == asker) {
            self.turn = None;
        }
    }
}
