//! Giving tokens back.
//!
//! Guarantees: may be called from anywhere, a `Drop` included, and never waits; the tokens are on their way before this thread
//! next waits for anything. Must not: try again: a give-back that fails means lost tokens, a repeated one might double them.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

use super::entry::Debit;
use super::lease::Tranche;
use super::policies::Policy;
use super::shared::Shared;
use crate::policy::ids::{BucketId, ClientId};
use crate::store::Store;

/// Tokens on their way back.
#[derive(Debug)]
struct Return {
    policy: Rc<Policy>,
    client: ClientId,
    debit: Debit,
}

/// Where to put tokens that are not needed. Unbounded, yet never long: it is emptied whenever this thread waits.
#[derive(Debug)]
pub(super) struct Returns(UnboundedSender<Return>);

impl Returns {
    /// Starts the task that carries tokens back. It ends with the last sender.
    pub(super) fn start(store: Store, shared: Arc<Shared>) -> Self {
        let (sender, receiver) = unbounded_channel();
        spawn_local(carry(receiver, store, shared));
        Self(sender)
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
            };
            self.undo(policy, client, debit);
        }
    }

    /// Gives back what a request was granted.
    pub(super) fn undo(&self, policy: &Rc<Policy>, client: &ClientId, debit: Debit) {
        if debit.spent.tokens == 0 {
            return;
        }
        // Only a limiter that is being torn down has no receiver: its tokens are lost.
        let _ = self.0.send(Return {
            policy: Rc::clone(policy),
            client: client.clone(),
            debit,
        });
    }
}

/// Gives back what is left when a thread ends: waits for all of it.
pub(super) async fn give_back_now(
    store: &Store,
    shared: &Shared,
    last: Vec<(Rc<Policy>, ClientId, Tranche)>,
) {
    for (policy, client, spent) in last {
        let debit = Debit {
            spent,
            degraded: false,
        };
        let one = Return {
            policy,
            client,
            debit,
        };
        give_back(store, shared, &one).await;
    }
}

async fn carry(mut returns: UnboundedReceiver<Return>, store: Store, shared: Arc<Shared>) {
    while let Some(one) = returns.recv().await {
        let (store, shared) = (store.clone(), Arc::clone(&shared));
        // Each on its own, so that a slow answer does not make the next one late.
        spawn_local(async move { give_back(&store, &shared, &one).await });
    }
}

async fn give_back(store: &Store, shared: &Shared, one: &Return) {
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
    let spec;
    let (store, spec) = if debit.degraded {
        spec = policy.spec().divided(shared.live_replicas());
        (shared.local(), &spec)
    } else {
        (store, policy.spec())
    };
    let given = store
        .give_back(&bucket, spec, tokens, debited_at, policy.lifetime())
        .await;
    match given {
        Ok(true) => policy.tally.given_back.add(tokens),
        Ok(false) | Err(_) => policy.tally.lost.add(tokens),
    }
}
