//! A limit on concurrency that follows what the latency says.
//!
//! The rule is Gradient2 of Netflix's `concurrency-limits`: the ratio of the usual latency to the latest says whether requests queue
//! at the upstream. As long as it does not fall below 1 ÷ tolerance the limit grows by a little queue; where it does, the limit
//! shrinks by the ratio, at most by half, and each step goes only part of the way.
//!
//! An average of all latencies would take a queue that lasts for what is usual: in five minutes of overload the limit would be at its
//! highest again. So what is usual is learned while there are places free, and when there are none for long and answers are slow,
//! by a look, as Envoy's adaptive concurrency has it: the lowest limit until the queue is gone, one sample, and up again twice
//! as far with each step until a queue begins.
//!
//! Guarantees: the limit stays within its bounds; it does not move on what a half-idle upstream says, which proves nothing about
//! more load; looks that find nothing new become rare. Must not: count requests, or know what time it is.

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
/// After so many steps in a row that were slow with no place free there is a look: half a minute of five a second.
const PATIENCE: u32 = 150;
/// So many it may become where looks find nothing new: ten minutes.
const LONGEST_PATIENCE: u32 = 3_000;
/// What a step counts for that was slow beyond measure: two seconds of those are enough.
const SEVERE: u32 = 15;
/// What is found is nothing new if it is no further than this from what was usual, as a share of it.
const NEAR: f64 = 0.25;

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

/// What a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Following the latency.
    Steady,
    /// A look: those who are too many for it are still at the upstream.
    Emptying,
    /// They are gone: the next sample is the usual latency.
    Measuring,
    /// Up again.
    Climbing,
}

/// The limit and what it rests on.
#[derive(Clone, Debug)]
pub struct Gradient {
    spec: GradientSpec,
    limit: f64,
    /// The usual latency, in microseconds.
    usual: f64,
    samples: f64,
    phase: Phase,
    /// What slow steps in a row with no place free count for, and how much of it leads to a look.
    strain: u32,
    patience: u32,
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
            phase: Phase::Steady,
            strain: 0,
            patience: PATIENCE,
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
        let is_full = sample.peak >= self.limit();
        match self.phase {
            Phase::Emptying => {
                if sample.peak <= self.spec.least {
                    self.phase = Phase::Measuring;
                }
                return;
            }
            Phase::Measuring => self.found(latest),
            Phase::Steady | Phase::Climbing if !is_full || latest < self.usual => {
                self.learn(latest);
            }
            // Nothing is known but what it takes with a queue, or maybe without.
            Phase::Steady | Phase::Climbing if self.usual == 0.0 => return self.look(),
            Phase::Steady | Phase::Climbing => {}
        }
        let gradient = (self.spec.tolerance * self.usual / latest).clamp(0.5, 1.0);
        let is_slow = gradient < 1.0;
        if self.phase != Phase::Steady {
            if is_full && !is_slow && self.limit() < self.spec.most {
                self.phase = Phase::Climbing;
                return self.set(self.limit * 2.0);
            }
            self.phase = Phase::Steady;
        }
        self.strain = match is_full && is_slow {
            true if gradient <= 0.5 => self.strain.saturating_add(SEVERE),
            true => self.strain.saturating_add(1),
            false => 0,
        };
        if self.strain >= self.patience {
            return self.look();
        }
        if f64::from(sample.peak) >= self.limit / 2.0 {
            let queue = self.limit.sqrt().max(QUEUE);
            let aim = self.limit * gradient + queue;
            self.set(self.limit + (aim - self.limit) * SMOOTHING);
        }
    }

    fn set(&mut self, limit: f64) {
        let (least, most) = (f64::from(self.spec.least), f64::from(self.spec.most));
        self.limit = limit.min(most).max(least);
    }

    /// A latency without a queue.
    fn learn(&mut self, latest: f64) {
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
    }

    fn look(&mut self) {
        self.phase = Phase::Emptying;
        self.strain = 0;
        self.set(0.0);
    }

    /// A look's end.
    fn found(&mut self, latest: f64) {
        let is_known = (latest - self.usual).abs() <= self.usual * NEAR;
        self.patience = match is_known {
            true => (self.patience * 2).min(LONGEST_PATIENCE),
            false => PATIENCE,
        };
        self.usual = latest;
        self.samples = self.samples.max(1.0);
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
    fn a_queue_that_lasts_does_not_become_usual() {
        let mut gradient = Gradient::new(SPEC);
        for _ in 0..50 {
            gradient.step(sample(10, 150));
        }
        settled(&mut gradient, 20, 100);
        let mut most = 0;
        // An hour.
        for _ in 0..18_000 {
            most = most.max(settled(&mut gradient, 20, 1));
        }
        assert!(most <= 60, "{most}");
    }

    #[test]
    fn who_begins_under_too_much_load_finds_out() {
        let mut gradient = Gradient::new(SPEC);
        let found = settled(&mut gradient, 4, 30);
        assert!(found <= 15, "{found}");
    }

    #[test]
    fn an_upstream_that_has_grown_slower_gets_its_places_back() {
        let mut gradient = Gradient::new(SPEC);
        let full = |gradient: &mut Gradient, millis| {
            let peak = gradient.limit();
            gradient.step(sample(millis, peak));
            gradient.limit()
        };
        for _ in 0..50 {
            gradient.step(sample(10, 150));
        }
        // Four times as slow, without a queue: so it looks like one.
        let low = (0..60).map(|_| full(&mut gradient, 40)).min().unwrap();
        assert!(low < 60, "{low}");
        for _ in 0..200 {
            full(&mut gradient, 40);
        }
        assert_eq!(gradient.limit(), 200);
    }

    #[test]
    fn looks_that_find_nothing_new_become_rare() {
        let mut gradient = Gradient::new(SPEC);
        let mut looks = 0;
        for _ in 0..18_000 {
            let before = gradient.phase;
            settled(&mut gradient, 20, 1);
            looks += u32::from(gradient.phase == Phase::Emptying && before == Phase::Steady);
        }
        // At the beginning, after 30 s, a minute, two, four, eight, then every ten minutes.
        assert!((6..=12).contains(&looks), "{looks}");
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
                let looks = gradient.phase == Phase::Emptying;
                prop_assert!(looks || gradient.limit >= before * 0.9 - 1e-9);
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
