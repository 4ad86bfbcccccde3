//! Successes that are told only now and then.
//!
//! Guarantees: counting one is one relaxed addition to a cache line that other threads seldom touch. Must not: be used for
//! failures: those are told at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::policy::circuit::Outcomes;

const SHARDS: usize = 8;

/// Successes in the upper half, those among them that were slow in the lower. Each shard has a cache line to itself.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(AtomicU64);

/// Successes since they were last told.
#[derive(Debug, Default)]
pub(super) struct Tally([Shard; SHARDS]);

impl Tally {
    /// Counts one success.
    pub(super) fn add(&self, is_slow: bool) {
        let one = (1 << 32) | u64::from(is_slow);
        let shard = self.0.get(shard_of_this_thread()).unwrap_or(&self.0[0]);
        shard.0.fetch_add(one, Ordering::Relaxed);
    }

    /// All that was counted; begins anew.
    pub(super) fn take(&self) -> Outcomes {
        self.0.iter().fold(Outcomes::default(), |sum, shard| {
            let taken = match shard.0.load(Ordering::Relaxed) {
                0 => 0,
                _ => shard.0.swap(0, Ordering::Relaxed),
            };
            let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
            sum.and(Outcomes::of(half(taken >> 32), 0, half(taken)))
        })
    }
}

fn shard_of_this_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    SHARD.with(|shard| *shard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_counted_twice() {
        let tally = Tally::default();
        tally.add(false);
        tally.add(true);
        assert_eq!(tally.take(), Outcomes::of(2, 0, 1));
        assert_eq!(tally.take(), Outcomes::default());
    }
}
