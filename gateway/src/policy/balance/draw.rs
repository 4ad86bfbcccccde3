//! The less loaded of two drawn at random ("power of two choices", Mitzenmacher 2001).
//!
//! Why two and not the least loaded of all: everyone who knows the same least loaded endpoint sends there at once; two at random
//! spread, and the worst load is still exponentially smaller than with one.
//!
//! Guarantees: an idle upstream is shared by weight; a draw costs O(1) for equal weights, else O(log n). Must not: make the random
//! numbers.

use super::Weight;

/// Draws endpoints by weight.
#[derive(Clone, Debug)]
pub struct Draw {
    count: u64,
    /// For unequal weights: the sum of the weights up to and including each endpoint's.
    sums: Option<Box<[u64]>>,
}

impl Draw {
    /// A draw among `weights.len()` endpoints.
    #[must_use]
    pub fn new(weights: &[Weight]) -> Self {
        let is_even = weights.windows(2).all(|pair| pair.first() == pair.last());
        let sums = weights.iter().scan(0_u64, |sum, weight| {
            *sum += u64::from((*weight).max(1));
            Some(*sum)
        });
        Self {
            count: weights.len() as u64,
            sums: (!is_even).then(|| sums.collect()),
        }
    }

    /// One endpoint, for a random number; 0 when there is none.
    #[must_use]
    pub fn one(&self, random: u64) -> usize {
        match &self.sums {
            None => below(random, self.count),
            Some(sums) => {
                let total = sums.last().copied().unwrap_or_default();
                let at = below(random, total) as u64;
                sums.partition_point(|sum| *sum <= at)
            }
        }
    }

    /// Two different endpoints where there are two, for two random numbers.
    #[must_use]
    pub fn two(&self, random: (u64, u64)) -> (usize, usize) {
        let one = self.one(random.0);
        let mut other = self.one(random.1);
        if other == one && self.count > 1 {
            // Any of the rest: what matters is that there is something to compare.
            other = (one + 1 + below(mix_high(random.1), self.count - 1)) % self.count as usize;
        }
        (one, other)
    }
}

/// A number below `bound` without a division (Lemire 2019); the bias is below 2⁻³² for bounds that fit 32 bits.
fn below(random: u64, bound: u64) -> usize {
    let high = (u128::from(random) * u128::from(bound)) >> 64;
    high as usize
}

/// The low bits, which [`below`] has not used, as the high ones.
const fn mix_high(random: u64) -> u64 {
    random.rotate_left(32)
}

/// Whether the second endpoint should be preferred: what it would hold, for its weight, is less than for the first. Where both
/// are alike the first, which was drawn by weight, stays.
#[must_use]
pub fn is_less_loaded(second: (usize, Weight), first: (usize, Weight)) -> bool {
    let cost = |load: usize, weight: Weight| (load as u128) * u128::from(weight);
    cost(second.0, first.1) < cost(first.0, second.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_idle_upstream_is_shared_by_weight() {
        let draw = Draw::new(&[1, 3]);
        let rolls = 4_000_u64;
        let heavy = (0..rolls)
            .map(|roll| draw.one(roll * (u64::MAX / rolls)))
            .filter(|place| *place == 1)
            .count();
        assert!((2_990..=3_010).contains(&heavy), "{heavy}");
    }

    #[test]
    fn load_counts_for_its_weight() {
        assert!(is_less_loaded((1, 1), (2, 1)));
        assert!(!is_less_loaded((2, 1), (2, 1)));
        assert!(is_less_loaded((5, 3), (2, 1)));
        assert!(!is_less_loaded((7, 3), (2, 1)));
    }

    proptest! {
        #[test]
        fn two_are_two_and_within_bounds(
            weights in prop::collection::vec(1_u32..=100, 1..50),
            random: (u64, u64),
        ) {
            let (one, other) = Draw::new(&weights).two(random);
            prop_assert!(one < weights.len() && other < weights.len());
            prop_assert!(one != other || weights.len() == 1);
        }

        /// Where one endpoint is slow, the loads of the others stay together and it is spared.
        #[test]
        fn the_slow_one_is_spared(seed: u64) {
            let draw = Draw::new(&[1; 4]);
            let mut random = fastrand::Rng::with_seed(seed);
            let mut loads = [0_usize; 4];
            let mut sent = [0_usize; 4];
            for turn in 0..4_000_usize {
                let (one, other) = draw.two((random.u64(..), random.u64(..)));
                let place = if is_less_loaded((loads[other], 1), (loads[one], 1)) { other } else { one };
                loads[place] += 1;
                sent[place] += 1;
                // One answer a turn; number 0 gives one in every 40.
                let done = if turn % 40 == 0 { 0 } else { 1 + turn % 3 };
                loads[done] = loads[done].saturating_sub(1);
            }
            prop_assert!(sent[0] < 600, "{sent:?}");
        }
    }
}
