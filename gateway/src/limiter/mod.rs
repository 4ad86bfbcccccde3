//! Floor 1b: the near side of the limits. Read this page first.
//!
//! One [`Limiter`] serves one data-plane thread. Most requests it answers from memory: out of a lease, a batch of tokens debited
//! ahead for a hot client ([`lease`]), or by an earlier denial that still holds ([`denial`]). The others wait for a debit of the
//! shared bucket, one at a time for each client, for everyone who waits by then ([`flight`], [`entry`]). When the store does not
//! answer, the policy says what happens ([`degrade`]).
//!
//! A request under a limit on requests in flight holds its [`Slot`] until it is over ([`slots`]).
//!
//! Guarantees: always a verdict, never an error. With τ the policy's `lease_lifetime`, or 0 without leases, all replicas together
//! admit at most C + r·(t + 2τ) over any interval of length t; the proof is in [`lease`]. Without leases tokens still go back
//! where a request of several tokens, or one under several limits, is denied half-way: there, too, at most τ later. Memory is
//! bounded ([`table`]). A request that leaves while it waits costs nothing if its debit was not sent, else what it asked for.
//!
//! Must not: be shared between threads, speak HTTP, read the store's keys.

mod all;
mod degrade;
mod denial;
mod entry;
mod flight;
mod hot;
mod inner;
mod lease;
mod policies;
mod recent;
mod resets;
mod returns;
pub mod settings;
mod shared;
mod slots;
mod table;
mod tally;
#[cfg(test)]
mod testing;
mod verdict;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

pub use all::{Verdicts, Want};
pub use entry::Standing;
pub use hot::HotClient;
pub use policies::Policy;
pub use shared::Shared;
pub use slots::Slot;
pub use tally::{Count, Tally, Totals};
pub use verdict::{By, Decision, Verdict};

use crate::policy::ids::{ClientId, PolicyName};
use crate::store::Store;
use entry::Outcome;
use inner::Inner;
use resets::Void;
use returns::{Home, Returns};
use settings::PolicySettings;
use table::Table;

/// What a limiter may remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Clients remembered, each for one limit. At up to 200 bytes each, 65,536 of them are 13 MB a thread.
    pub clients: usize,
    /// Requests that may wait for one client's debit.
    pub waiting: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            clients: 65_536,
            waiting: 1_024,
        }
    }
}

/// The limits, as one thread enforces them. Cheap to clone within the thread.
#[derive(Clone, Debug)]
pub struct Limiter {
    inner: Rc<Inner>,
}

impl Limiter {
    /// A limiter for the present thread. Call it, and everything it offers, within that thread's `LocalSet`.
    #[must_use]
    pub fn new(store: Store, policies: Vec<PolicySettings>, shared: Arc<Shared>) -> Self {
        Self::bounded(store, policies, shared, Bounds::default())
    }

    /// The same with other bounds.
    #[must_use]
    pub fn bounded(
        store: Store,
        policies: Vec<PolicySettings>,
        shared: Arc<Shared>,
        bounds: Bounds,
    ) -> Self {
        shared.joined();
        let seen_resets = shared.resets.count();
        let holder = fastrand::u64(1..);
        let limiter = Self {
            inner: Rc::new(Inner {
                returns: Returns::start(Home {
                    store: store.clone(),
                    shared: Arc::clone(&shared),
                    holder,
                }),
                holder,
                next_slot: Cell::new(0),
                held: RefCell::default(),
                round: RefCell::default(),
                store,
                shared,
                policies: RefCell::default(),
                table: RefCell::new(Table::new(bounds.clients)),
                resets: Cell::new(0),
                seen_resets: Cell::new(seen_resets),
                waiting: bounds.waiting.max(1),
            }),
        };
        limiter.replace(policies);
        limiter
    }

    /// The far side.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The limit of that name: asked once per route, not per request.
    #[must_use]
    pub fn policy(&self, name: &PolicyName) -> Option<Rc<Policy>> {
        self.inner.policies.borrow().find(name).cloned()
    }

    /// Debits `cost` tokens of `client`'s bucket, or says when to come back. Dropped half-way, it disturbs nobody else. What
    /// [`Self::hold`] would hold is let go at once.
    pub async fn take(&self, policy: &Rc<Policy>, client: &ClientId, cost: u64) -> Verdict {
        self.hold(policy, client, cost).await.0
    }

    /// The same of any limit: of one on requests in flight, with the slots to be held until the request is over.
    pub async fn hold(
        &self,
        policy: &Rc<Policy>,
        client: &ClientId,
        cost: u64,
    ) -> (Verdict, Option<Slot>) {
        let want = Want {
            policy,
            client,
            cost,
        };
        let Outcome { verdict, debit } = self.inner.outcome(&want).await;
        policy.tally.decided(verdict.decision, verdict.by);
        (verdict, Slot::of(&self.inner, &want, debit))
    }

    /// Puts other limits in force. What stayed the same keeps its memory; what changed or went gives its leases back.
    pub fn replace(&self, settings: Vec<PolicySettings>) {
        let inner = &self.inner;
        let mut policies = inner.policies.borrow_mut();
        policies.replace(settings, &inner.shared);
        let retired = |slot: &table::Slot| !policies.holds(&slot.policy);
        for mut slot in inner.table.borrow_mut().remove(retired) {
            let held = slot.entry.surrender();
            inner.returns.give(&slot.policy, &slot.client, held);
        }
    }

    /// An operator reset the bucket of `client`, given as text: what was remembered of it is void.
    pub fn forget(&self, name: &PolicyName, client: &str) {
        self.inner
            .resets
            .set(self.inner.resets.get().wrapping_add(1));
        let Some(policy) = self.policy(name) else {
            return;
        };
        let mut table = self.inner.table.borrow_mut();
        for client in readings(client).into_iter().flatten() {
            let hash = table.hash(&policy, &client);
            let place = table.find(hash, &policy, &client);
            if let Some(slot) = place.and_then(|place| table.at(place)) {
                slot.entry.forget(Instant::now());
            }
        }
    }

    /// Renews what is held, looks for clients near their limit, and voids what was remembered of buckets that were reset anywhere;
    /// called a few times a second.
    pub fn tick(&self) {
        let inner = &self.inner;
        let now = Instant::now();
        inner.renew(now);
        inner.look_for_hot_clients(now);
        if inner.seen_resets.get() == inner.shared.resets.count() {
            return;
        }
        let (void, seen) = inner.shared.resets.since(inner.seen_resets.get());
        inner.seen_resets.set(seen);
        match void {
            Void::Some(resets) => {
                for (policy, client) in &resets {
                    self.forget(policy, client);
                }
            }
            Void::All => self.forget_all(),
        }
    }

    fn forget_all(&self) {
        let inner = &self.inner;
        inner.resets.set(inner.resets.get().wrapping_add(1));
        let now = Instant::now();
        for slot in inner.table.borrow_mut().iter_mut() {
            slot.entry.forget(now);
        }
    }

    /// Gives every lease and every slot back, and waits until that is done: for a drain, after the last request.
    pub async fn give_back_all(&self) {
        let inner = &self.inner;
        for slot in inner.table.borrow_mut().iter_mut() {
            let held = slot.entry.surrender();
            inner.returns.give(&slot.policy, &slot.client, held);
        }
        inner.let_all_go();
        inner.returns.settled().await;
    }

    /// How many clients are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.inner.table.borrow().len()
    }
}

/// Whom a text may stand for: an address or a network, and in any case a text.
fn readings(client: &str) -> [Option<ClientId>; 2] {
    let (address, prefix) = client.split_once('/').unwrap_or((client, "128"));
    let address = address.parse::<IpAddr>().ok().zip(prefix.parse().ok());
    [
        address.map(|(address, prefix)| ClientId::from_address(address, prefix)),
        Some(ClientId::Text(client.into())),
    ]
}
