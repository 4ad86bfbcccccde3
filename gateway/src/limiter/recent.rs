//! How many tokens a key was granted here of late: what a lease may be sized from.
//!
//! Guarantees: never counts a grant older than one lease lifetime, the premise of the bound in `lease.rs`. Must not: read a clock.

use std::time::Duration;

use tokio::time::Instant;

/// Tokens granted within the present half lifetime and the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    since: Instant,
    before: u32,
    present: u32,
}

impl Recent {
    /// Nothing yet.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            before: 0,
            present: 0,
        }
    }

    /// Counts `tokens` granted at `now`.
    pub(super) fn granted(&mut self, tokens: u64, half: Duration, now: Instant) {
        self.turn(half, now);
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        self.present = self.present.saturating_add(tokens);
    }

    /// Uncounts `tokens` of a grant that was taken back.
    pub(super) const fn undone(&mut self, tokens: u64) {
        let tokens = if tokens > u32::MAX as u64 {
            u32::MAX
        } else {
            tokens as u32
        };
        self.before = self
            .before
            .saturating_sub(tokens.saturating_sub(self.present));
        self.present = self.present.saturating_sub(tokens);
    }

    /// Tokens granted in the last half to whole lifetime.
    pub(super) fn total(&mut self, half: Duration, now: Instant) -> u64 {
        self.turn(half, now);
        u64::from(self.before) + u64::from(self.present)
    }

    /// Whether nothing was granted of late.
    pub(super) fn is_idle(&self, half: Duration, now: Instant) -> bool {
        now >= self.since + half * 2
    }

    fn turn(&mut self, half: Duration, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed < half {
            return;
        }
        if passed < half * 2 {
            self.before = self.present;
            self.since += half;
        } else {
            self.before = 0;
            self.since = now;
        }
        self.present = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_older_than_a_lifetime_counts() {
        let start = Instant::now();
        let half = Duration::from_millis(25);
        let at = |millis| start + Duration::from_millis(millis);
        let mut recent = Recent::new(start);
        recent.granted(3, half, at(0));
        recent.granted(2, half, at(30));
        assert_eq!(recent.total(half, at(49)), 5);
        assert_eq!(
            recent.total(half, at(50)),
            2,
            "the first three are 50 ms old"
        );
        assert_eq!(recent.total(half, at(100)), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_undone_grant_does_not_count() {
        let start = Instant::now();
        let half = Duration::from_millis(25);
        let mut recent = Recent::new(start);
        recent.granted(3, half, start);
        recent.granted(2, half, start + half);
        recent.undone(4);
        assert_eq!(recent.total(half, start + half), 1);
    }
}
