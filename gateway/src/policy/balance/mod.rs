//! Which of several endpoints is next, and which of them may be asked at all.
//!
//! - [`Turns`]: round robin, exact to the weight over each cycle.
//! - [`Draw`]: the less loaded of two drawn at random.
//! - [`Ring`]: consistent hashing.
//! - [`ramp`]: what share of its weight an endpoint gets while it warms up.
//! - [`ejection`]: for how long one that keeps failing is left out, and how many may be.
//!
//! Guarantees: the same inputs give the same choice; a choice costs at most O(log n). Must not: know what an endpoint is: here it is
//! a number below how many there are.

mod draw;
pub mod ejection;
pub mod ramp;
mod ring;
mod turns;

pub use draw::{Draw, is_less_loaded};
pub use ring::{Ring, hash, mix};
pub use turns::Turns;

/// What an endpoint's share is measured in. At least 1.
pub type Weight = u32;

/// Whether so few endpoints are left that leaving the others out would only move the trouble to the rest: then all are used.
#[must_use]
pub fn is_panic(usable: usize, all: usize, threshold: f64) -> bool {
    usable < all && (usable as f64) < all as f64 * threshold
}

#[cfg(test)]
mod tests {
    use super::is_panic;

    #[test]
    fn all_are_used_below_the_threshold_and_not_at_it() {
        assert!(!is_panic(2, 4, 0.5));
        assert!(is_panic(1, 4, 0.5));
        assert!(is_panic(0, 1, 0.5));
        assert!(!is_panic(0, 4, 0.0), "a threshold of zero never panics");
        assert!(!is_panic(4, 4, 1.0));
        assert!(is_panic(3, 4, 1.0));
        assert!(!is_panic(0, 0, 0.5));
    }
}
