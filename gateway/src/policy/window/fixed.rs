//! The fixed window: a count that starts again at each boundary.
//!
//! Guarantees: no window has more than the limit, so an interval of length t has at most ⌈t ÷ window⌉ + 1 times that: around a
//! boundary, twice the limit within a moment. Whoever minds that wants one of the other algorithms. A clock that stepped back locks
//! nobody out beyond the end of the window it stepped back into. Must not: read a clock.

use super::{Batch, WindowSpec};
use crate::policy::token_bucket::Taken;
use crate::policy::units::{Micros, StoreTime};

/// A count at rest. One that nobody knows is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedWindow {
    start: StoreTime,
    count: u64,
}

impl FixedWindow {
    /// Counts what can be granted of `batch` at `now`.
    pub fn take(&mut self, spec: &WindowSpec, batch: Batch, now: StoreTime) -> Taken {
        let start = spec.start(now);
        // A window of the future is from before the clock stepped back, or the windows became longer: it counts as this one.
        let used = if self.start >= start { self.count } else { 0 };
        let available = spec.limit.saturating_sub(used);
        let (fitting, granted) = batch.fitting(available);
        let count = used + granted;
        if granted > 0 || (batch.requests > 0 && self.start > start) {
            *self = Self { start, count };
        }
        let left = start.after(spec.window).since(now);
        Taken {
            granted,
            remaining: available - granted,
            retry_after: if fitting < batch.requests {
                left
            } else {
                Micros::ZERO
            },
            full_after: if count > 0 { left } else { Micros::ZERO },
            at: now,
        }
    }

    /// Uncounts `tokens` of a request counted at `counted_at` that went nowhere; false when its window is over.
    pub fn give_back(
        &mut self,
        spec: &WindowSpec,
        tokens: u64,
        counted_at: StoreTime,
        now: StoreTime,
    ) -> bool {
        let lasts = self.start >= spec.start(now) && spec.start(counted_at) == self.start;
        if !lasts || self.count == 0 {
            return false;
        }
        self.count = self.count.saturating_sub(tokens);
        true
    }
}
