//! A limit on concurrency that follows what the latency says.
//!
//! The rule is Gradient2 of Netflix's `concurrency-limits`: the ratio of the usual latency to the latest says whether requests queue
//! at the upstream. As long as it does not fall below 1 ÷ tolerance the limit grows by a little queue; where it does, the limit
//! shrinks by the ratio, at most by half, and each step goes only part of the way.
//!
//! Guarantees: the limit stays within its bounds; it does not move on what a half-idle upstream says, which proves nothing about
//! more load. Must not: count requests, or know what time it is.

use super::units::Micros;

/// Samples the usual latency is averaged over: two minutes of five a second.
const LONG: f64 = 600.0;
/// The first samples are averaged evenly: an exponential average would believe the very first.
const WARM_UP: f64 = 10.0;
/// How much of each step is taken.
const SMOOTHING: f64 = 0.2;
/// How fast a usual latency that is far above the latest is let go: after an outage it would allow anything.
const DECAY: f64 = 0.95;
/// The least that a limit grows by before smoothing.
const QUEUE: f64 = 4.0;

/// Between what and how willingly a limit moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientSpec {
    /// The lowest limit, at least 1.
    pub least: u32,
    /// The highest, where it begins.
    pub most: u32,
    /// How many times the usual latency is no sign of a queue yet, at least 1.
    pub tolerance: f64,
}

/// What was seen since the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The mean latency.
    pub latency: Micros,
    /// The most requests in flight at once.
    pub peak: u32,
}

/// The limit and what it rests on.
#[derive(Clone, Debug)]
pub struct Gradient {
    spec: GradientSpec,
    limit: f64,
    /// The usual latency, in microseconds.
    usual: f64,
    samples: f64,
}

impl Gradient {
    /// A limit that begins at the highest: to be slow is what takes it down.
    #[must_use]
    pub fn new(spec: GradientSpec) -> Self {
        Self {
            spec,
            limit: f64::from(spec.most),
            usual: 0.0,
            samples: 0.0,
        }
    }

    /// The limit now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        // Within the bounds of a u32 by construction; part of a place is none.
        self.limit as u32
    }

    /// One step.
    pub fn step(&mut self, sample: Sample) {
        // A latency of zero is one below the clock's resolution.
        let latest = (sample.latency.get() as f64).max(1.0);
        self.samples = (self.samples + 1.0).min(LONG);
        let weight = if self.samples <= WARM_UP {
            1.0 / self.samples
        } else {
            2.0 / (LONG + 1.0)
        };
        self.usual += (latest - self.usual) * weight;
        if self.usual / latest > 2.0 {
            self.usual *= DECAY;
        }
        if f64::from(sample.peak) < self.limit / 2.0 {
            return;
        }
        let gradient = (self.spec.tolerance * self.usual / latest).clamp(0.5, 1.0);
        let queue = self.limit.sqrt().max(QUEUE);
        let aim = self.limit * gradient + queue;
        let next = self.limit + (aim - self.limit) * SMOOTHING;
        let (least, most) = (f64::from(self.spec.least), f64::from(self.spec.most));
        self.limit = next.min(most).max(least);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPEC: GradientSpec = GradientSpec {
        least: 5,
        most: 200,
        tolerance: 1.5,
    };

    fn sample(millis: u64, peak: u32) -> Sample {
        Sample {
            latency: Micros::from_millis(millis),
            peak,
        }
    }

    /// An upstream that works on `width` requests at once, 10 ms each, and queues the rest; there is always more to do.
    fn settled(gradient: &mut Gradient, width: u32, steps: u32) -> u32 {
        for _ in 0..steps {
            let limit = gradient.limit();
            let latency = 10_000 * u64::from(limit.max(width)) / u64::from(width);
            gradient.step(Sample {
                latency: Micros::new(latency),
                peak: limit,
            });
        }
        gradient.limit()
    }

    #[test]
    fn the_limit_comes_down_to_what_the_upstream_can_do_and_goes_up_again() {
        let mut gradient = Gradient::new(SPEC);
        for _ in 0..50 {
            gradient.step(sample(10, 150));
        }
        assert_eq!(gradient.limit(), 200);
        let narrow = settled(&mut gradient, 20, 100);
        assert!((20..=80).contains(&narrow), "{narrow}");
        let wide = settled(&mut gradient, 400, 400);
        assert_eq!(wide, 200);
    }

    #[test]
    fn a_half_idle_upstream_proves_nothing() {
        let mut gradient = Gradient::new(SPEC);
        for millis in [10, 10_000, 1, 60_000] {
            gradient.step(sample(millis, 99));
            assert_eq!(gradient.limit(), 200);
        }
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds_and_never_falls_off_a_cliff(
            least in 1_u32..50,
            more in 0_u32..2_000,
            tolerance in 1.0_f64..5.0,
            samples in prop::collection::vec((0_u64..100_000_000, 0_u32..3_000), 1..200),
        ) {
            let spec = GradientSpec { least, most: least + more, tolerance };
            let mut gradient = Gradient::new(spec);
            for (latency, peak) in samples {
                let before = gradient.limit;
                gradient.step(Sample { latency: Micros::new(latency), peak });
                prop_assert!((least..=least + more).contains(&gradient.limit()));
                prop_assert!(gradient.limit >= before * 0.9 - 1e-9);
                let moved = gradient.limit.to_bits() != before.to_bits();
                prop_assert!(!moved || f64::from(peak) >= before / 2.0);
            }
        }

        /// With everything else equal, a slower answer never leads to a higher limit.
        #[test]
        fn slower_is_never_more(
            usual in 1_u64..1_000_000,
            one in 1_u64..10_000_000,
            other in 1_u64..10_000_000,
        ) {
            let after = |latest: u64| {
                let mut gradient = Gradient::new(SPEC);
                gradient.limit = 100.0;
                for _ in 0..20 {
                    gradient.step(Sample { latency: Micros::new(usual), peak: 0 });
                }
                gradient.step(Sample { latency: Micros::new(latest), peak: 100 });
                gradient.limit
            };
            prop_assert!(after(one.max(other)) <= after(one.min(other)) + 1e-9);
        }
    }
}
