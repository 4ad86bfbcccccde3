//! Slow start: an endpoint that comes back or is new gets its full share only step by step, so that cold caches, lazy connections
//! and a just-in-time compiler are not met by everything at once.
//!
//! Guarantees: the share grows with time, never falls, and is whole at the end. Must not: read a clock.

use super::Weight;
use crate::policy::units::Micros;

/// Shares are counted in so many parts.
pub const WHOLE: u32 = 1_000;
/// What there is at once: without any traffic nothing warms up.
const LEAST: u32 = 100;

/// The share, of [`WHOLE`], after `elapsed` of a slow start that takes `span`. Linear from a tenth.
#[must_use]
pub fn share(elapsed: Micros, span: Micros) -> u32 {
    if elapsed >= span {
        return WHOLE;
    }
    let grown = u128::from(elapsed.get()) * u128::from(WHOLE) / u128::from(span.get().max(1));
    u32::try_from(grown).unwrap_or(WHOLE).clamp(LEAST, WHOLE)
}

/// What an endpoint weighs at `share`, on a scale on which its whole weight is `weight` × [`WHOLE`].
#[must_use]
pub const fn scaled(weight: Weight, share: u32) -> Weight {
    weight.saturating_mul(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_begins_with_a_tenth_and_ends_whole() {
        let span = Micros::new(30_000_000);
        assert_eq!(share(Micros::ZERO, span), 100);
        assert_eq!(share(Micros::new(15_000_000), span), 500);
        assert_eq!(share(span, span), WHOLE);
        assert_eq!(share(Micros::ZERO, Micros::ZERO), WHOLE);
    }

    proptest! {
        #[test]
        fn it_never_falls(span in 1_u64..u64::MAX, one: u64, other: u64) {
            let (early, late) = (one.min(other), one.max(other));
            let share = |elapsed| share(Micros::new(elapsed), Micros::new(span));
            prop_assert!(share(early) <= share(late));
            prop_assert!((LEAST..=WHOLE).contains(&share(late)));
        }
    }
}
