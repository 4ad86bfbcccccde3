//! Which traces are kept, by OpenTelemetry's built-in samplers. Must not: decide by anything but the trace's id and the parent's flag.

use super::settings::{Root, SamplerSettings};

/// A decision that every participant of a trace makes alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampler {
    follows_parent: bool,
    /// Of the 2^63 values of an id's last 63 bits, those below are kept.
    below: u64,
}

impl Sampler {
    pub(super) const fn new(settings: SamplerSettings) -> Self {
        let below = match settings.root {
            Root::Always => 1 << 63,
            Root::Never => 0,
            // At most 2^63: the share was checked to be at most 1.
            Root::Share(share) => (share * 9_223_372_036_854_775_808.0) as u64,
        };
        Self {
            follows_parent: settings.follows_parent,
            below,
        }
    }

    pub(super) fn samples(&self, trace: u128, parent: Option<bool>) -> bool {
        match parent {
            Some(sampled) if self.follows_parent => sampled,
            _ => (trace as u64 >> 1) < self.below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(root: Root, follows_parent: bool) -> Sampler {
        Sampler::new(SamplerSettings {
            root,
            follows_parent,
        })
    }

    #[test]
    fn a_parent_is_followed_where_it_should_be() {
        for root in [Root::Always, Root::Never] {
            for parent in [true, false] {
                assert_eq!(sampler(root, true).samples(1, Some(parent)), parent);
                assert_eq!(
                    sampler(root, false).samples(1, Some(parent)),
                    root == Root::Always
                );
            }
        }
    }

    #[test]
    fn a_share_is_kept_as_large_as_asked() {
        let sampler = sampler(Root::Share(0.25), true);
        let mut random = fastrand::Rng::with_seed(7);
        let kept = (0..10_000).filter(|_| sampler.samples(random.u128(..), None));
        let kept = kept.count();
        assert!((2_300..2_700).contains(&kept), "{kept}");
        assert!(sampler.samples(0, None));
        assert!(!sampler.samples(u128::MAX, None));
    }
}
