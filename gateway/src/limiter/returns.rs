//! Giving tokens back.
//!
//! Guarantees: may be called from anywhere, a `Drop` included, and never waits; the tokens are on their way before this thread
//! next waits for anything. Must not: try again: a give-back that fails means lost tokens, a repeated one might double them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_local;

use super::entry::Debit;
use super::lease::Tranche;
use super::policies::Policy;
use super::shared::Shared;
use crate::policy::concurrency::SlotId;
use crate::policy::ids::{BucketId, ClientId};
use crate::policy::limit::LimitSpec;
use crate::store::Store;

/// Give-backs without an answer at a time: fewer than a store handle takes, so that a drain does not overload it.
const MOST_UNDER_WAY: usize = 512;

/// Tokens on their way back.
#[derive(Debug)]
struct Return {
    policy: Rc<Policy>,
    client: ClientId,
    debit: Debit,
}

/// Where to put tokens that are not needed. Unbounded, yet never long: it is emptied whenever this thread waits.
#[derive(Debug)]
pub(super) struct Returns {
    sender: UnboundedSender<Return>,
    under_way: Rc<UnderWay>,
}

/// Where tokens go back to.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) store: Store,
    pub(super) shared: Arc<Shared>,
    /// Whose slots.
    pub(super) holder: u64,
}

/// How many give-backs have no answer yet.
#[derive(Debug, Default)]
struct UnderWay {
    count: Cell<usize>,
    changed: Notify,
}

impl Returns {
    /// Starts the task that carries tokens back. It ends with the last sender.
    pub(super) fn start(home: Home) -> Self {
        let (sender, receiver) = unbounded_channel();
        let under_way = Rc::<UnderWay>::default();
        spawn_local(carry(receiver, home, Rc::clone(&under_way)));
        Self { sender, under_way }
    }

    /// Waits until all that was given back has arrived, or failed to, each within a call's deadline.
    pub(super) async fn settled(&self) {
        while self.under_way.count.get() > 0 {
            self.under_way.changed.notified().await;
        }
    }

    /// Gives back what was debited of the shared bucket.
    pub(super) fn give(
        &self,
        policy: &Rc<Policy>,
        client: &ClientId,
        tranches: impl IntoIterator<Item = Option<Tranche>>,
    ) {
        for spent in tranches.into_iter().flatten() {
            let debit = Debit {
                spent,
                degraded: false,
                slot: 0,
            };
            self.undo(policy, client, debit);
        }
    }

    /// Gives back what a request was granted.
    pub(super) fn undo(&self, policy: &Rc<Policy>, client: &ClientId, debit: Debit) {
        if debit.spent.tokens == 0 {
            return;
        }
        let sent = self.sender.send(Return {
            policy: Rc::clone(policy),
            client: client.clone(),
            debit,
        });
        // Only a limiter that is being torn down has no receiver: its tokens are lost.
        if sent.is_ok() {
            self.under_way.count.set(self.under_way.count.get() + 1);
        }
    }
}

impl UnderWay {
    fn one_less(&self) {
        self.count.set(self.count.get().saturating_sub(1));
        self.changed.notify_one();
    }
}

async fn carry(mut returns: UnboundedReceiver<Return>, home: Home, under_way: Rc<UnderWay>) {
    let places = Arc::new(Semaphore::new(MOST_UNDER_WAY));
    while let Some(one) = returns.recv().await {
        let place = Arc::clone(&places).acquire_owned().await;
        let (home, under_way) = (home.clone(), Rc::clone(&under_way));
        // Each on its own, so that a slow answer does not make the next one late.
        spawn_local(async move {
            give_back(&home, &one).await;
            under_way.one_less();
            drop(place);
        });
    }
}

async fn give_back(home: &Home, one: &Return) {
    let Return {
        policy,
        client,
        debit,
    } = one;
    let bucket = BucketId {
        policy: policy.settings().name.clone(),
        client: client.clone(),
    };
    let Tranche {
        tokens, debited_at, ..
    } = debit.spent;
    let (store, parts) = if debit.degraded {
        (home.shared.local(), home.shared.live_replicas())
    } else {
        (&home.store, 1)
    };
    let given = match policy.spec() {
        LimitSpec::TokenBucket(spec) => {
            let part = spec.divided(parts);
            let lifetime = policy.lifetime();
            store
                .give_back(&bucket, &part, tokens, debited_at, lifetime)
                .await
        }
        LimitSpec::Window(spec) => {
            let part = spec.divided(parts);
            store.uncount(&bucket, &part, tokens, debited_at).await
        }
        LimitSpec::Concurrency(spec) => {
            let id = SlotId {
                holder: home.holder,
                first: debit.slot,
            };
            // Letting go is how each of them ends: nothing that was debited ahead.
            let _ = store.release(&bucket, spec, id, tokens).await;
            return;
        }
    };
    match given {
        Ok(true) => policy.tally.given_back.add(tokens),
        Ok(false) | Err(_) => policy.tally.lost.add(tokens),
    }
}
