//! The sliding log: every token with its instant.
//!
//! Guarantees: no interval of a window's length has more than the limit: the exact algorithm, and the dear one, because it
//! remembers each token of the last window. So its limit is bounded by [`super::LONGEST_LOG`]. What a clock that stepped back
//! left in the future counts as of now. Must not: read a clock, or remember what is denied: whoever keeps asking comes in again.

use std::collections::VecDeque;

use super::{Batch, WindowSpec};
use crate::policy::token_bucket::Taken;
use crate::policy::units::{Micros, StoreTime};

/// A log at rest: instants in order, each with the tokens granted then. One that nobody knows is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlidingLog {
    granted: VecDeque<(StoreTime, u64)>,
}

impl SlidingLog {
    /// Notes what can be granted of `batch` at `now`.
    pub fn take(&mut self, spec: &WindowSpec, batch: Batch, now: StoreTime) -> Taken {
        if batch.requests > 0 {
            self.mend(now);
        }
        let used: u64 = self.live(spec, now).map(|(_, tokens)| tokens).sum();
        let available = spec.limit.saturating_sub(used);
        let (fitting, granted) = batch.fitting(available);
        if granted > 0 {
            let dead = self.granted.len() - self.live(spec, now).count();
            self.granted.drain(..dead);
            self.note(now, granted);
        }
        let freed = (used + granted + batch.cost).saturating_sub(spec.limit);
        Taken {
            granted,
            remaining: available - granted,
            retry_after: if fitting < batch.requests {
                self.until_free(spec, freed, now)
            } else {
                Micros::ZERO
            },
            full_after: self
                .live(spec, now)
                .next_back()
                .map_or(Micros::ZERO, |(at, _)| {
                    at.min(now).after(spec.window).since(now)
                }),
            at: now,
        }
    }

    /// Takes `tokens` noted at `counted_at` out again; false when none of them counts any more.
    pub fn give_back(
        &mut self,
        spec: &WindowSpec,
        tokens: u64,
        counted_at: StoreTime,
        now: StoreTime,
    ) -> bool {
        let place = self.granted.iter().position(|(at, _)| *at == counted_at);
        let Some(place) = place.filter(|_| tokens > 0 && counted_at.after(spec.window) > now)
        else {
            return false;
        };
        if let Some((_, noted)) = self.granted.get_mut(place) {
            *noted = noted.saturating_sub(tokens);
            if *noted == 0 {
                self.granted.remove(place);
            }
        }
        true
    }

    /// Instants remembered: what the log costs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.granted.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.granted.is_empty()
    }

    /// What a clock that stepped back left in the future happened now, at the latest.
    fn mend(&mut self, now: StoreTime) {
        let future = self.granted.iter().rev().take_while(|(at, _)| *at > now);
        let future = future.count();
        if future == 0 {
            return;
        }
        let moved = self.granted.drain(self.granted.len() - future..);
        let tokens = moved.map(|(_, tokens)| tokens).sum();
        self.note(now, tokens);
    }

    fn note(&mut self, now: StoreTime, tokens: u64) {
        match self.granted.back_mut() {
            Some((at, noted)) if *at == now => *noted += tokens,
            _ => self.granted.push_back((now, tokens)),
        }
    }

    fn live(
        &self,
        spec: &WindowSpec,
        now: StoreTime,
    ) -> impl DoubleEndedIterator<Item = (StoreTime, u64)> + '_ {
        let window = spec.window;
        let dead = self
            .granted
            .partition_point(|(at, _)| at.after(window) <= now);
        self.granted.range(dead..).copied()
    }

    /// How long until the `count` oldest tokens are out of the window.
    fn until_free(&self, spec: &WindowSpec, count: u64, now: StoreTime) -> Micros {
        let mut freed = 0;
        let mut live = self.live(spec, now);
        let last = live.find(|(_, tokens)| {
            freed += tokens;
            freed >= count
        });
        last.map_or(spec.window, |(at, _)| at.after(spec.window).since(now))
    }
}
