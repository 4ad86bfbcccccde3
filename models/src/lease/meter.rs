//! Measures admissions against the promise, over every interval at once.
//!
//! Guarantees: the level is the largest, over all intervals that end now, of what was admitted in the interval less what was refilled
//! in it, in ticks of refill. So "never above C + r·(t + 2τ)" is one comparison with a constant, and no history is kept. Must not:
//! know how admissions come about.

/// A leaky bucket that is watched, not enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Meter {
    level: i16,
    /// Where intervals begin that begin now: below zero for a while after a loss.
    floor: i16,
    /// Ticks for which that is so.
    grace: u16,
}

impl Meter {
    /// The level.
    #[must_use]
    pub const fn level(self) -> i16 {
        self.level
    }

    /// Something was admitted whose refill takes `ticks`.
    pub const fn admit(&mut self, ticks: i16) {
        self.level += ticks;
    }

    /// A tick passed.
    pub fn tick(&mut self) {
        self.grace = self.grace.saturating_sub(1);
        if self.grace == 0 {
            self.floor = 0;
        }
        self.level = self.floor.max(self.level - 1);
    }

    /// The store lost what it knew: as much as refills in `ticks` is allowed once more in every interval that contains this instant
    /// or begins at most `grace` ticks after it.
    pub const fn lose(&mut self, ticks: i16, grace: u16) {
        self.level -= ticks;
        self.floor = -ticks;
        self.grace = grace;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every history of ten ticks with up to two admissions each, against the definition.
    #[test]
    fn the_level_is_the_worst_of_all_intervals() {
        const COST: i16 = 3;
        for history in 0..3_u32.pow(10) {
            let admitted: Vec<i16> = (0..10)
                .map(|tick| (history / 3_u32.pow(tick) % 3) as i16)
                .collect();
            let mut meter = Meter::default();
            for (end, here) in admitted.iter().enumerate() {
                if end > 0 {
                    meter.tick();
                }
                meter.admit(here * COST);
                let excess = |start: usize| {
                    let admitted: i16 = admitted[start..=end].iter().sum();
                    admitted * COST - (end - start) as i16
                };
                let worst = (0..=end).map(excess).fold(0, i16::max);
                assert_eq!(meter.level(), worst, "{admitted:?} up to {end}");
            }
        }
    }
}
