//! Consistent hashing: a ring of points, many for each endpoint, as many as its weight says; a key goes to the next point clockwise.
//!
//! Why a ring. Rendezvous hashing moves as few keys and has no table, but asks every endpoint for every request: O(n). Maglev is
//! O(1), but its table is made anew whenever an endpoint fails, and each time moves some keys of endpoints that are well. A ring
//! is searched in O(log n), and one that fails needs no new ring: its keys walk on to the next, and everyone else's stay.
//!
//! Guarantees: every replica makes the same ring, in whatever order it knows the endpoints; one that goes takes away only its own
//! keys, one that comes takes only what is now its own. Must not: depend on a seed, a version of a library or the order of endpoints.

use super::Weight;

/// Points of the heaviest endpoint: shares are right to about 1/√512, 4 %.
const POINTS: u32 = 512;

/// The ring.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    /// Sorted by the point's place on the ring.
    points: Box<[(u64, u32)]>,
}

impl Ring {
    /// A ring of endpoints, each with its key, the [`hash`] of its name, and its weight. `heaviest` is the greatest weight there can
    /// be: the points of an endpoint must not depend on who else is there.
    #[must_use]
    pub fn new(endpoints: &[(u64, Weight)], heaviest: Weight) -> Self {
        let unit = (POINTS / heaviest.max(1)).max(1);
        let mut points = Vec::new();
        for (place, (key, weight)) in endpoints.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let count = u64::from(unit.saturating_mul((*weight).clamp(1, heaviest.max(1))));
            points.extend((0..count).map(|number| (mix(key ^ mix(number)), place, *key)));
        }
        // Where two points meet, the keys decide and not the order in which the endpoints came.
        points.sort_unstable_by_key(|(point, _, key)| (*point, *key));
        Self {
            points: points
                .into_iter()
                .map(|(point, place, _)| (point, place))
                .collect(),
        }
    }

    /// The endpoints from `hash` on, clockwise, once around. One may come several times.
    pub fn walk(&self, hash: u64) -> impl Iterator<Item = usize> {
        let start = self.points.partition_point(|(point, _)| *point < hash);
        let (before, after) = self.points.split_at(start);
        after
            .iter()
            .chain(before)
            .map(|(_, place)| usize::try_from(*place).unwrap_or(usize::MAX))
    }
}

/// FNV-1a with a finisher: the same on every replica and in every version, which a hasher made for maps does not promise.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    let folded = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(folded)
}

/// Spreads the bits of a number over all 64: the finisher of splitmix64.
#[must_use]
pub const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: u64 = 4_000;

    fn endpoints(count: usize) -> Vec<(u64, Weight)> {
        let name = |number: usize| format!("10.0.0.{number}:8080");
        (0..count)
            .map(|number| (hash(name(number).as_bytes()), 1))
            .collect()
    }

    fn owners(endpoints: &[(u64, Weight)], heaviest: Weight) -> Vec<u64> {
        let ring = Ring::new(endpoints, heaviest);
        let owner = |key: u64| ring.walk(hash(&key.to_be_bytes())).next().unwrap();
        (0..KEYS).map(|key| endpoints[owner(key)].0).collect()
    }

    #[test]
    fn known_answers() {
        // What a later version must still say, or a rolling update moves every session.
        assert_eq!(hash(b""), 0xc381_7c01_6ba4_ff30);
        assert_eq!(hash(b"192.0.2.7"), 0x7b1d_c73b_a78d_723c);
    }

    #[test]
    fn shares_follow_weights() {
        let mut all = endpoints(3);
        all[0].1 = 4;
        let owned = owners(&all, 4);
        let heavy = owned.iter().filter(|key| **key == all[0].0).count();
        let share = heavy as f64 / KEYS as f64;
        assert!((0.58..0.75).contains(&share), "{share} is not near 4/6");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn one_that_goes_takes_away_only_its_own_keys(count in 2_usize..8, gone in 0_usize..8) {
            let all = endpoints(count);
            let gone = gone % count;
            let before = owners(&all, 1);
            let mut rest = all.clone();
            rest.remove(gone);
            let after = owners(&rest, 1);
            let mut moved = 0;
            for (before, after) in before.iter().zip(&after) {
                if *before == all[gone].0 {
                    moved += 1;
                } else {
                    prop_assert_eq!(before, after);
                }
            }
            let fair = KEYS as f64 / count as f64;
            prop_assert!((f64::from(moved) - fair).abs() < fair * 0.4, "{} of {}", moved, fair);
        }

        #[test]
        fn the_order_of_endpoints_does_not_matter(count in 2_usize..8, turn in 0_usize..8) {
            let all = endpoints(count);
            let mut turned = all.clone();
            turned.rotate_left(turn % count);
            prop_assert_eq!(owners(&all, 1), owners(&turned, 1));
        }

        /// A failing endpoint is walked past: the others keep what they have.
        #[test]
        fn walking_past_one_moves_only_its_keys(key: u64) {
            let ring = Ring::new(&endpoints(5), 1);
            let first = ring.walk(key).next().unwrap();
            for other in (0..5).filter(|other| *other != first) {
                prop_assert_eq!(ring.walk(key).find(|place| *place != other).unwrap(), first);
            }
            let mut met: Vec<usize> = ring.walk(key).collect();
            met.sort_unstable();
            met.dedup();
            prop_assert_eq!(met.len(), 5);
        }
    }
}
