//! Slots held by requests in flight: renewed while a request runs, let go when it is over.
//!
//! Guarantees: a slot is let go exactly once, when its guard is dropped or its thread ends, whichever comes first; one that is held is
//! renewed three times a lease, so that two renewals may fail. What this process holds when it is killed comes back when its leases
//! end. Must not: hold a slot for a request that is over.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::Instant;

use super::all::Want;
use super::entry::Debit;
use super::inner::Inner;
use super::policies::Policy;
use crate::policy::concurrency::{SlotId, SlotsSpec};
use crate::policy::ids::{BucketId, ClientId};
use crate::policy::limit::LimitSpec;

/// A request in flight, as a limit counts it. Dropping it lets its slots go.
#[derive(Debug)]
pub struct Slot {
    inner: Rc<Inner>,
    first: u32,
}

/// The slots of one request.
#[derive(Debug)]
pub(super) struct Held {
    policy: Rc<Policy>,
    client: ClientId,
    debit: Debit,
    renew_at: Instant,
}

impl Slot {
    /// The guard of what was granted; none for a limit that is not held.
    pub(super) fn of(inner: &Rc<Inner>, want: &Want<'_>, debit: Option<Debit>) -> Option<Self> {
        let LimitSpec::Concurrency(spec) = want.policy.spec() else {
            return None;
        };
        let debit = debit?;
        let held = Held {
            policy: Rc::clone(want.policy),
            client: want.client.clone(),
            debit,
            renew_at: Instant::now() + pace(spec),
        };
        inner.held.borrow_mut().insert(debit.slot, held);
        Some(Self {
            inner: Rc::clone(inner),
            first: debit.slot,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let held = self.inner.held.borrow_mut().remove(&self.first);
        if let Some(held) = held {
            self.inner.let_go(&held);
        }
    }
}

impl Inner {
    /// Renews what is due.
    pub(super) fn renew(&self, now: Instant) {
        for held in self.held.borrow_mut().values_mut() {
            let LimitSpec::Concurrency(spec) = held.policy.spec() else {
                continue;
            };
            if held.renew_at > now {
                continue;
            }
            held.renew_at = now + pace(spec);
            let (spec, tokens) = (*spec, held.debit.spent.tokens);
            let bucket = held.bucket();
            let id = SlotId {
                holder: self.holder,
                first: held.debit.slot,
            };
            let store = if held.debit.degraded {
                self.shared.local().clone()
            } else {
                self.store.clone()
            };
            held.policy.tally.store_calls.add(1);
            // What fails now is due again before the lease ends.
            spawn_local(async move { store.renew(&bucket, &spec, id, tokens).await });
        }
    }

    /// Lets everything go: the requests that hold it end with their thread.
    pub(super) fn let_all_go(&self) {
        let all = self.held.take();
        for held in all.values() {
            self.let_go(held);
        }
    }

    fn let_go(&self, held: &Held) {
        self.returns.undo(&held.policy, &held.client, held.debit);
    }
}

impl Held {
    fn bucket(&self) -> BucketId {
        BucketId {
            policy: self.policy.settings().name.clone(),
            client: self.client.clone(),
        }
    }
}

/// How often a lease is renewed.
fn pace(spec: &SlotsSpec) -> Duration {
    spec.lease().to_duration() / 3
}
