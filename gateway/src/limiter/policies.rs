//! Limits as this thread uses them, and what changes when the configuration does.
//!
//! Guarantees: a limit that a reload leaves as it was keeps its identity, and with it everything remembered of its clients; one
//! that changed starts afresh, because a denial by the old limit says nothing about the new. Must not: take tokens.

use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use super::lease;
use super::settings::PolicySettings;
use super::shared::Shared;
use super::tally::Tally;
use super::verdict::{By, Decision, Verdict};
use crate::policy::ids::PolicyName;
use crate::policy::limit::LimitSpec;
use crate::policy::units::Micros;

/// A limit, resolved once per route. Cheap to clone within its thread.
#[derive(Debug)]
pub struct Policy {
    /// Never used twice by one limiter: a changed limit is another one.
    pub(super) id: u32,
    settings: PolicySettings,
    pub(super) tally: Arc<Tally>,
}

impl Policy {
    /// The limit as configured.
    #[must_use]
    pub const fn settings(&self) -> &PolicySettings {
        &self.settings
    }

    pub(super) const fn spec(&self) -> &LimitSpec {
        &self.settings.spec
    }

    /// Whether a request holds what it takes until it is over, so that it must be taken with [`super::Limiter::hold`].
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.settings.spec.is_held()
    }

    /// How long a token may be out before the store no longer takes it back: τ.
    pub(super) fn lifetime(&self) -> Micros {
        Micros::from(self.settings.lease_lifetime)
    }

    pub(super) fn half_lifetime(&self) -> Duration {
        self.settings.lease_lifetime / 2
    }

    pub(super) fn spendable(&self) -> Duration {
        lease::spendable(self.settings.lease_lifetime)
    }

    /// Puts a decision into words, once shadow mode is considered.
    pub(super) const fn verdict(&self, granted: bool, by: By, told: Told) -> Verdict {
        let decision = match (granted, by, self.settings.shadow) {
            (true, By::Degraded, _) => Decision::DegradedGranted,
            (true, ..) => Decision::Granted,
            (false, _, true) => Decision::ShadowDenied,
            (false, By::Degraded, false) => Decision::DegradedDenied,
            (false, ..) => Decision::Denied,
        };
        Verdict {
            decision,
            by,
            limit: self.settings.spec.capacity(),
            remaining: told.remaining,
            retry_after: told.retry_after,
            full_after: told.full_after,
        }
    }
}

/// The numbers of a verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) remaining: u64,
    pub(super) retry_after: Micros,
    pub(super) full_after: Micros,
}

/// Every limit in force.
#[derive(Debug, Default)]
pub(super) struct Policies {
    known: Vec<Rc<Policy>>,
    /// Those that were in force and still serve requests: a change that is taken back finds them again.
    retired: Vec<Weak<Policy>>,
    next_id: u32,
}

impl Policies {
    pub(super) fn find(&self, name: &PolicyName) -> Option<&Rc<Policy>> {
        self.known
            .iter()
            .find(|policy| policy.settings.name == *name)
    }

    pub(super) fn holds(&self, policy: &Rc<Policy>) -> bool {
        self.known.iter().any(|known| Rc::ptr_eq(known, policy))
    }

    /// Puts new settings in force.
    pub(super) fn replace(&mut self, settings: Vec<PolicySettings>, shared: &Shared) {
        let before = std::mem::take(&mut self.known);
        let retired = std::mem::take(&mut self.retired);
        let retired: Vec<_> = retired.iter().filter_map(Weak::upgrade).collect();
        for settings in settings {
            let mut all = before.iter().chain(&retired);
            let same = all.find(|old| old.settings == settings);
            let same_name = before.iter().find(|old| old.settings.name == settings.name);
            let policy = match (same, same_name) {
                (Some(same), _) => Rc::clone(same),
                (None, Some(changed)) => self.made(settings, Arc::clone(&changed.tally)),
                (None, None) => {
                    let tally = shared.tally(&settings.name);
                    self.made(settings, tally)
                }
            };
            self.known.push(policy);
        }
        let gone = before.iter().chain(&retired).filter(|old| !self.holds(old));
        self.retired = gone.map(Rc::downgrade).collect();
    }

    fn made(&mut self, settings: PolicySettings, tally: Arc<Tally>) -> Rc<Policy> {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        Rc::new(Policy {
            id,
            settings,
            tally,
        })
    }
}
