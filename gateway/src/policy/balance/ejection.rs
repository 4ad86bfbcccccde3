//! Passive ejection: an endpoint that fails several times in a row is left out for a while, longer each time.
//!
//! Guarantees: what is left out returns; no more are left out than the share allowed. Must not: judge what a failure is.

use crate::policy::units::Micros;

/// The longest an endpoint is left out, however often it was.
pub const LONGEST: Micros = Micros::new(300_000_000);

/// When endpoints are left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EjectionSpec {
    /// Failures in a row.
    pub failures: u32,
    /// How long the first time; twice that the second time, and so on to [`LONGEST`].
    pub base: Micros,
    /// The most endpoints left out at a time, of all.
    pub max_share: f64,
}

impl EjectionSpec {
    /// How often it now counts as ejected, after `times` before, the last of which ended `since` ago: each stretch of [`Self::base`]
    /// without trouble forgives one.
    #[must_use]
    pub fn times(&self, times: u32, since: Micros) -> u32 {
        let forgiven = since.get() / self.base.get().max(1);
        let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
        times.saturating_sub(forgiven).saturating_add(1)
    }

    /// For how long, the so-many-th time.
    #[must_use]
    pub fn span(&self, times: u32) -> Micros {
        let grown = self.base.get().saturating_mul(u64::from(times.max(1)));
        Micros::new(grown).min(LONGEST.max(self.base))
    }

    /// Whether one more may be left out where `ejected` of `all` are already. So a lone endpoint never is.
    #[must_use]
    pub fn allows(&self, ejected: usize, all: usize) -> bool {
        (ejected + 1) as f64 <= all as f64 * self.max_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPEC: EjectionSpec = EjectionSpec {
        failures: 5,
        base: Micros::new(30_000_000),
        max_share: 0.5,
    };

    #[test]
    fn it_grows_to_five_minutes_and_is_forgiven() {
        let spans = [1, 2, 3, 100].map(|times| SPEC.span(times).get() / 1_000_000);
        assert_eq!(spans, [30, 60, 90, 300]);
        assert_eq!(SPEC.times(0, Micros::ZERO), 1);
        assert_eq!(SPEC.times(3, Micros::ZERO), 4);
        assert_eq!(SPEC.times(3, Micros::new(60_000_000)), 2);
        assert_eq!(SPEC.times(3, Micros::new(u64::MAX)), 1);
    }

    #[test]
    fn no_more_than_the_share() {
        assert!(!SPEC.allows(0, 1));
        assert!(SPEC.allows(0, 2));
        assert!(!SPEC.allows(1, 2));
        assert!(SPEC.allows(0, 3));
        assert!(!SPEC.allows(1, 3));
    }

    proptest! {
        #[test]
        fn a_share_is_never_exceeded(all in 0_usize..100, max_share in 0.01..=1.0_f64) {
            let spec = EjectionSpec { max_share, ..SPEC };
            let ejected = (0..=all).find(|ejected| !spec.allows(*ejected, all)).unwrap();
            prop_assert!(ejected as f64 <= all as f64 * max_share);
        }
    }
}
