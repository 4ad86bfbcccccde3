//! The sliding window of two counters: this window's count, and of the one before as large a part as the last window's length still
//! covers of it.
//!
//! Guarantees: no window of the calendar has more than the limit; an interval of a window's length that begins when a part x of a
//! window is over has at most 1 + x times the limit, which takes a client that spends everything at the end of a window, and then
//! again as it comes back. An even stream is held to the limit. The part is counted in whole milliseconds, in the limit's favour.
//! Must not: read a clock.

use super::{Batch, WindowSpec};
use crate::policy::token_bucket::Taken;
use crate::policy::units::{Micros, StoreTime};

/// Two counts at rest. Those that nobody knows are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlidingWindow {
    start: StoreTime,
    current: u64,
    previous: u64,
}

/// The two counts as they stand at some instant.
struct Seen {
    current: u64,
    previous: u64,
    /// Of the present window: how much is over.
    elapsed: Micros,
}

impl SlidingWindow {
    /// Counts what can be granted of `batch` at `now`.
    pub fn take(&mut self, spec: &WindowSpec, batch: Batch, now: StoreTime) -> Taken {
        let start = spec.start(now);
        let mut seen = self.seen(spec, now);
        let available = seen.available(spec);
        let (fitting, granted) = batch.fitting(available);
        seen.current += granted;
        // A window of the future is from before the clock stepped back, or the windows became longer: it counts as this one.
        if granted > 0 || (batch.requests > 0 && self.start > start) {
            *self = Self {
                start,
                current: seen.current,
                previous: seen.previous,
            };
        }
        Taken {
            granted,
            remaining: available - granted,
            retry_after: if fitting < batch.requests {
                seen.wait(spec, batch.cost)
            } else {
                Micros::ZERO
            },
            full_after: seen.full_after(spec),
            at: now,
        }
    }

    /// Uncounts `tokens` of a request counted at `counted_at` that went nowhere; false when nothing counts of it any more.
    pub fn give_back(
        &mut self,
        spec: &WindowSpec,
        tokens: u64,
        counted_at: StoreTime,
        now: StoreTime,
    ) -> bool {
        let from = spec.start(counted_at);
        let count = if from == self.start {
            &mut self.current
        } else if from.after(spec.window) == self.start {
            &mut self.previous
        } else {
            return false;
        };
        if *count == 0 || from.after(spec.window).after(spec.window) <= now {
            return false;
        }
        *count = count.saturating_sub(tokens);
        true
    }

    fn seen(&self, spec: &WindowSpec, now: StoreTime) -> Seen {
        let start = spec.start(now);
        let (current, previous) = if self.start >= start {
            (self.current, self.previous)
        } else if self.start.after(spec.window) == start {
            (0, self.current)
        } else {
            (0, 0)
        };
        Seen {
            // What was counted under a higher limit weighs no more than this one.
            current: current.min(spec.limit),
            previous: previous.min(spec.limit),
            elapsed: now.since(start),
        }
    }
}

impl Seen {
    fn available(&self, spec: &WindowSpec) -> u64 {
        let left = spec.millis() - self.elapsed.get() / 1_000;
        let weighed = (self.previous * left).div_ceil(spec.millis());
        spec.limit.saturating_sub(self.current + weighed)
    }

    /// How long until `cost` tokens are available, when they are not.
    fn wait(&self, spec: &WindowSpec, cost: u64) -> Micros {
        let room = spec.limit.saturating_sub(cost);
        let (room, fading, wait) = match room.checked_sub(self.current) {
            Some(room) => (room, self.previous, Micros::ZERO),
            None => (room, self.current, spec.window),
        };
        // The last instant of a window's fading at which it still weighs more than there is room for, and a millisecond.
        let left = (room * spec.millis() / fading.max(1)).min(spec.millis());
        let at = Micros::from_millis(spec.millis() - left);
        wait.saturating_add(at).saturating_sub(self.elapsed)
    }

    fn full_after(&self, spec: &WindowSpec) -> Micros {
        let end = spec.window.saturating_sub(self.elapsed);
        match (self.current, self.previous) {
            (0, 0) => Micros::ZERO,
            (0, _) => end,
            _ => end.saturating_add(spec.window),
        }
    }
}
