//! The process's own tier, shared by its threads.
//!
//! Guarantees: bounded in bytes, what it costs to keep them included; scan-resistant (Clock-PRO: what is asked for once does not push
//! out what is asked for often). A lock is held for one look-up, on one of several shards. Must not: judge freshness.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use http::{HeaderMap, HeaderName};
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};
use tokio::time::Instant;

use super::entry::Entry;
use crate::policy::cacheability::{Digest, variant};

/// The most shards: beyond a few for each core they only make each smaller.
const MOST_SHARDS: u64 = 64;
/// The largest answer is at most such a part of a shard.
const PART_OF_SHARD: u64 = 4;
/// What an answer usually weighs, for the table's size.
const USUAL_WEIGHT: u64 = 4 * 1024;
/// What a place without an answer weighs.
const PLACE: u64 = 256;

/// What a key stands for.
#[derive(Clone, Debug)]
enum Slot {
    /// An answer.
    Entry(Arc<Entry>),
    /// Variants told by these fields.
    Varies(Arc<Varies>),
    /// Answers not for keeping, until then.
    Pass(Instant),
}

/// How variants of a target are told. The salt makes their keys its own: without it they are nobody's, and are pushed out.
#[derive(Debug)]
struct Varies {
    names: Box<[HeaderName]>,
    salt: u64,
    variants: AtomicU32,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    Entry(Arc<Entry>),
    Pass,
    Nothing,
}

/// A look-up's result: what there is, and which variant it was.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) found: Found,
    pub(super) variant: Digest,
    pub(super) names: Box<[HeaderName]>,
}

#[derive(Debug)]
pub(super) struct Memory {
    slots: Cache<Digest, Slot, Weigh, DefaultHashBuilder, Evictions>,
    evictions: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<Digest, Slot> for Weigh {
    fn weight(&self, _: &Digest, slot: &Slot) -> u64 {
        match slot {
            Slot::Entry(entry) => entry.weight(),
            Slot::Varies(_) | Slot::Pass(_) => PLACE,
        }
    }
}

#[derive(Clone, Debug)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<Digest, Slot> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Digest, _: Slot) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Memory {
    pub(super) fn new(bytes: u64, max_object: usize) -> Self {
        let shards = bytes / (PART_OF_SHARD * (max_object as u64).max(1));
        let shards = shards.clamp(1, MOST_SHARDS);
        // A power of two not above: the library would round up, and make each shard too small.
        let shards = 1_u64 << shards.ilog2();
        let evictions = Arc::new(AtomicU64::new(0));
        let options = OptionsBuilder::new()
            .shards(shards as usize)
            .estimated_items_capacity((bytes / USUAL_WEIGHT).max(1) as usize)
            .weight_capacity(bytes)
            .build()
            .ok();
        let slots = match options {
            Some(options) => Cache::with_options(
                options,
                Weigh,
                DefaultHashBuilder::default(),
                Evictions(Arc::clone(&evictions)),
            ),
            // Every option is given: cannot happen, and would only be a cache of the same size.
            None => Cache::with(
                1,
                bytes,
                Weigh,
                DefaultHashBuilder::default(),
                Evictions(Arc::clone(&evictions)),
            ),
        };
        Self { slots, evictions }
    }

    /// What there is for a request with `headers`; `own` are the route's fields that tell variants.
    pub(super) fn look(&self, target: &Digest, own: &[HeaderName], headers: &HeaderMap) -> Looked {
        let (names, salt) = match self.slots.get(target) {
            Some(Slot::Varies(varies)) => (varies.names.clone(), Some(varies.salt)),
            _ => (Box::default(), None),
        };
        let variant = variant(target, own.iter().chain(&names), headers);
        let found = self.slots.get(&salted(variant, salt));
        let found = match found {
            Some(Slot::Entry(entry)) => Found::Entry(entry),
            Some(Slot::Pass(until)) if until > Instant::now() => Found::Pass,
            _ => Found::Nothing,
        };
        Looked {
            found,
            variant,
            names,
        }
    }

    /// Keeps an answer under the variant that its request selects by the route's fields and `entry.vary`; `is_plain` says that there
    /// are none of either.
    pub(super) fn put(
        &self,
        target: &Digest,
        variant: Digest,
        is_plain: bool,
        entry: Arc<Entry>,
        most: u32,
    ) {
        let salt = (!is_plain).then(|| self.varies(target, &entry.vary, &variant, most));
        if is_plain && let Some(Slot::Varies(_)) = self.slots.peek(target) {
            // It varies no more.
            self.slots.remove(target);
        }
        self.slots.insert(salted(variant, salt), Slot::Entry(entry));
    }

    /// The salt under which variants told by `names` are kept; a new one when they were told otherwise, or are too many.
    fn varies(&self, target: &Digest, names: &[HeaderName], variant: &Digest, most: u32) -> u64 {
        if let Some(Slot::Varies(varies)) = self.slots.get(target)
            && *varies.names == *names
        {
            let is_new = !self.slots.contains_key(&variant.salted(varies.salt));
            if !is_new || varies.variants.fetch_add(1, Ordering::Relaxed) < most {
                return varies.salt;
            }
        }
        let varies = Varies {
            names: names.into(),
            salt: fastrand::u64(1..),
            variants: AtomicU32::new(1),
        };
        let salt = varies.salt;
        self.slots.insert(*target, Slot::Varies(Arc::new(varies)));
        salt
    }

    /// Remembers that answers to this variant are not for keeping.
    pub(super) fn pass(&self, looked: &Digest, target: &Digest, until: Instant) {
        let salt = match self.slots.peek(target) {
            Some(Slot::Varies(varies)) => Some(varies.salt),
            _ => None,
        };
        let key = salted(*looked, salt);
        if !matches!(self.slots.peek(&key), Some(Slot::Entry(_))) {
            self.slots.insert(key, Slot::Pass(until));
        }
    }

    /// Forgets a target. Its variants go with their salt.
    pub(super) fn forget(&self, target: &Digest) {
        self.slots.remove(target);
        self.slots.remove(&variant(target, [], &HeaderMap::new()));
    }

    pub(super) fn clear(&self) {
        self.slots.clear();
    }

    pub(super) fn bytes(&self) -> u64 {
        self.slots.weight()
    }

    pub(super) fn entries(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }
}

fn salted(variant: Digest, salt: Option<u64>) -> Digest {
    salt.map_or(variant, |salt| variant.salted(salt))
}
