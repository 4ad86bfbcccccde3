//! Round robin by weight: earliest deadline first.
//!
//! An endpoint of weight w has its k-th turn due at (2k + 1) / 2w of the cycle, so that its turns are spread over the cycle and not
//! bunched. All deadlines lie within the cycle, and there are as many as the cycle has turns: each endpoint gets exactly its weight.
//!
//! Guarantees: exact over each cycle; equal weights cost an addition and a remainder, others O(log n). Must not: round: deadlines
//! are compared as fractions.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::Weight;

/// Whose turn it is.
#[derive(Clone, Debug)]
pub struct Turns {
    next: usize,
    uneven: Option<Uneven>,
}

#[derive(Clone, Debug)]
struct Uneven {
    due: BinaryHeap<Due>,
    /// Turns left in this cycle, and how many a cycle has.
    left: u64,
    cycle: u64,
}

/// An endpoint's next turn. The greatest is the earliest, as [`BinaryHeap`] wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    place: usize,
    weight: u64,
    taken: u64,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        // (2a + 1) / 2v < (2b + 1) / 2w, without the division.
        let own = u128::from(2 * self.taken + 1) * u128::from(other.weight);
        let others = u128::from(2 * other.taken + 1) * u128::from(self.weight);
        others.cmp(&own).then(other.place.cmp(&self.place))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Turns {
    /// Turns among `weights.len()` endpoints; those of one thread start at `offset`, so that threads do not move in step.
    #[must_use]
    pub fn new(weights: &[Weight], offset: usize) -> Self {
        let is_even = weights.windows(2).all(|pair| pair.first() == pair.last());
        let mut turns = Self {
            next: offset % weights.len().max(1),
            uneven: (!is_even).then(|| Uneven::new(weights)),
        };
        if turns.uneven.is_some() {
            for _ in 0..turns.next {
                let _ = turns.take(weights.len());
            }
        }
        turns
    }

    /// The next of `count` endpoints: those whose weights this was made from. Not below `count` when that is zero.
    pub fn take(&mut self, count: usize) -> usize {
        if let Some(uneven) = &mut self.uneven {
            return uneven.take();
        }
        let turn = self.next;
        self.next = if turn + 1 < count { turn + 1 } else { 0 };
        turn
    }
}

impl Uneven {
    fn new(weights: &[Weight]) -> Self {
        let due = weights.iter().enumerate().map(|(place, weight)| Due {
            place,
            weight: u64::from((*weight).max(1)),
            taken: 0,
        });
        let due: BinaryHeap<Due> = due.collect();
        let cycle = due.iter().map(|one| one.weight).sum();
        Self {
            due,
            left: cycle,
            cycle,
        }
    }

    fn take(&mut self) -> usize {
        let place = self.due.peek_mut().map_or(0, |mut due| {
            due.taken += 1;
            due.place
        });
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.left = self.cycle;
            let all = std::mem::take(&mut self.due).into_iter();
            self.due = all.map(|due| Due { taken: 0, ..due }).collect();
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(turns: &mut Turns, count: usize, times: u64) -> Vec<u64> {
        let mut taken = vec![0; count];
        for _ in 0..times {
            taken[turns.take(count)] += 1;
        }
        taken
    }

    #[test]
    fn equal_weights_take_turns_from_the_offset() {
        let mut turns = Turns::new(&[7, 7, 7], 4);
        let order: Vec<usize> = (0..6).map(|_| turns.take(3)).collect();
        assert_eq!(order, [1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_heavy_endpoint_does_not_get_its_turns_in_a_row() {
        let mut turns = Turns::new(&[3, 1, 1], 0);
        let order: Vec<usize> = (0..5).map(|_| turns.take(3)).collect();
        assert_eq!(order, [0, 0, 1, 2, 0]);
    }

    proptest! {
        #[test]
        fn each_cycle_gives_each_endpoint_exactly_its_weight(
            weights in prop::collection::vec(1_u32..=20, 1..12),
        ) {
            let cycle: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            let mut turns = Turns::new(&weights, 0);
            let even = weights.windows(2).all(|pair| pair[0] == pair[1]);
            for _ in 0..3 {
                let taken = run(&mut turns, weights.len(), cycle);
                if even {
                    prop_assert!(taken.iter().all(|count| *count == taken[0]));
                } else {
                    let expected: Vec<u64> = weights.iter().copied().map(u64::from).collect();
                    prop_assert_eq!(taken, expected);
                }
            }
        }

        /// Within a cycle too nobody is ahead or behind by more than a turn or so.
        #[test]
        fn at_no_moment_is_anyone_far_from_its_share(
            weights in prop::collection::vec(1_u32..=20, 2..12),
            part in 0.0..1.0_f64,
        ) {
            let cycle: u32 = weights.iter().sum();
            let times = (f64::from(cycle) * part) as u64;
            let taken = run(&mut Turns::new(&weights, 0), weights.len(), times);
            for (count, weight) in taken.iter().zip(&weights) {
                let fair = times as f64 * f64::from(*weight) / f64::from(cycle);
                prop_assert!((*count as f64 - fair).abs() < 2.0, "{count} of {fair}");
            }
        }
    }
}
