//! Requests in flight: a number of slots, each held by a lease that its holder renews.
//!
//! `store/redis/concurrency.lua` is the same decision.
//!
//! Guarantees: never more live leases than slots are granted; a lease that is neither renewed nor given back ends by itself, so that
//! what a replica held that died comes back after at most one lease. A denial changes nothing. Must not: read a clock.
//!
//! Renewing a lease that has ended takes its slot again, even one too many: the request it stands for does run, and a count that
//! hid it would only let in another.

use std::collections::BTreeMap;

use super::token_bucket::Taken;
use super::units::{Micros, StoreTime};
use super::window::Batch;

/// The most slots of one limit: each that is taken costs some hundred bytes of the store.
pub const MOST_SLOTS: u64 = 10_000;
/// The shortest lease: renewed in time even by a thread that was busy for a moment.
pub const SHORTEST_LEASE: Micros = Micros::from_secs(1);
/// The longest lease: nobody waits longer for the slots of a replica that died.
pub const LONGEST_LEASE: Micros = Micros::from_secs(86_400);

/// How many requests may be in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotsSpec {
    limit: u64,
    lease: Micros,
}

/// A specification that no store could keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotsError {
    /// Nothing would ever be granted, or too much kept.
    #[error("write a limit from 1 to {MOST_SLOTS}")]
    Limit,
    /// Too short to be renewed in time, or too long to wait for.
    #[error("a lease lasts from `1s` to `1d`")]
    Lease,
}

/// Whose slots: the holder's number and the number of the first; the others follow it, wrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotId {
    /// What tells one thread of one replica from every other.
    pub holder: u64,
    /// What tells its slots apart.
    pub first: u32,
}

impl SlotId {
    /// Whoever only looks.
    pub const NOBODY: Self = Self {
        holder: 0,
        first: 0,
    };
}

impl SlotsSpec {
    /// `limit` slots, each held for `lease` at a time.
    ///
    /// # Errors
    /// A limit or lease out of bounds; see [`SlotsError`].
    pub fn new(limit: u64, lease: Micros) -> Result<Self, SlotsError> {
        if limit == 0 || limit > MOST_SLOTS {
            return Err(SlotsError::Limit);
        }
        if !(SHORTEST_LEASE..=LONGEST_LEASE).contains(&lease) {
            return Err(SlotsError::Lease);
        }
        Ok(Self { limit, lease })
    }

    /// The most slots taken at once.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// How long a slot stays taken unless it is renewed.
    #[must_use]
    pub const fn lease(&self) -> Micros {
        self.lease
    }

    /// The same limit divided by `parts`, at least one slot.
    #[must_use]
    pub fn divided(&self, parts: u64) -> Self {
        Self {
            limit: (self.limit / parts.max(1)).max(1),
            ..*self
        }
    }
}

/// The slots of one client: the lease of each that is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    until: BTreeMap<(u64, u32), StoreTime>,
}

impl Slots {
    /// Takes a slot for each token that can be granted of `batch`. `retry_after` is when leases end that are not renewed.
    pub fn acquire(&mut self, spec: &SlotsSpec, id: SlotId, batch: Batch, now: StoreTime) -> Taken {
        let live = self.until.values().filter(|until| **until > now).count() as u64;
        let available = spec.limit.saturating_sub(live);
        let (fitting, granted) = batch.fitting(available);
        if granted > 0 {
            self.until.retain(|_, until| *until > now);
            self.put(spec, id, granted, now);
        }
        let mut ends: Vec<_> = self.until.values().filter(|until| **until > now).collect();
        ends.sort_unstable();
        let freed = (live + granted + batch.cost).saturating_sub(spec.limit);
        let first = usize::try_from(freed.saturating_sub(1)).ok();
        let retry_at = first.and_then(|place| ends.get(place));
        Taken {
            granted,
            remaining: available - granted,
            retry_after: match retry_at {
                Some(at) if fitting < batch.requests => at.since(now),
                _ => Micros::ZERO,
            },
            full_after: ends.last().map_or(Micros::ZERO, |until| until.since(now)),
            at: now,
        }
    }

    /// Lets `count` slots go from `id` on; how many of them were known.
    pub fn release(&mut self, id: SlotId, count: u64) -> u64 {
        let known = numbers(id, count).filter(|key| self.until.remove(key).is_some());
        known.count() as u64
    }

    /// Holds `count` slots from `id` on for another lease; how many of them were known.
    pub fn renew(&mut self, spec: &SlotsSpec, id: SlotId, count: u64, now: StoreTime) -> u64 {
        self.put(spec, id, count, now)
    }

    /// When the last lease ends.
    #[must_use]
    pub fn until(&self) -> StoreTime {
        self.until.values().max().copied().unwrap_or_default()
    }

    /// Leases remembered: what they cost.
    #[must_use]
    pub fn len(&self) -> usize {
        self.until.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.until.is_empty()
    }

    fn put(&mut self, spec: &SlotsSpec, id: SlotId, count: u64, now: StoreTime) -> u64 {
        let until = now.after(spec.lease);
        let known = numbers(id, count).filter(|key| self.until.insert(*key, until).is_some());
        known.count() as u64
    }
}

/// The slots from `id` on.
fn numbers(id: SlotId, count: u64) -> impl Iterator<Item = (u64, u32)> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    (0..count).map(move |offset| (id.holder, id.first.wrapping_add(offset)))
}
