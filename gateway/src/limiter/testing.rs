//! What the limiter's own tests are made of.

use std::rc::Rc;
use std::time::Duration;

use super::policies::{Policies, Policy};
use super::settings::{KeySettings, LegacyHeaders, OnStoreFailure, PolicySettings};
use super::shared::Shared;
use crate::policy::token_bucket::BucketSpec;
use crate::store::Store;

/// A limit of 100 tokens, refilled at 10 a minute, with leases of 50 ms; `change` makes it another.
pub(super) fn policy(change: impl FnOnce(&mut PolicySettings)) -> Rc<Policy> {
    let mut settings = PolicySettings {
        name: "per-client".into(),
        key: KeySettings::Client,
        spec: BucketSpec::new(100, "10/1m".parse().unwrap())
            .unwrap()
            .into(),
        leases: true,
        lease_lifetime: Duration::from_millis(50),
        on_store_failure: OnStoreFailure::Degrade,
        shadow: false,
        legacy_headers: LegacyHeaders::None,
    };
    change(&mut settings);
    let name = settings.name.clone();
    let mut policies = Policies::default();
    policies.replace(vec![settings], &Shared::new(Store::memory(1 << 16)));
    Rc::clone(policies.find(&name).unwrap())
}
