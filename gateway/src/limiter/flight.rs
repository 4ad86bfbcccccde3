//! The debits of one key: one at a time, each for everyone who waits by then, or by the time it fails.
//!
//! Guarantees: runs as a task of its own, so that a client that leaves does not abort what others wait for; ends when nobody waits
//! any more. Must not: decide: what an answer means to each request is `entry/handout.rs`.

use std::rc::Rc;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};

use super::Inner;
use super::degrade;
use super::entry::{Answer, Debit, Demand};
use super::lease::Tranche;
use super::policies::Policy;
use super::table::Place;
use crate::policy::concurrency::SlotId;
use crate::policy::ids::{BucketId, ClientId};
use crate::policy::limit::LimitSpec;
use crate::policy::token_bucket::{Ask, Taken};
use crate::store::StoreError;

/// Asks the store until nobody waits for the entry at `place`.
pub(super) fn start(inner: &Rc<Inner>, place: Place, policy: &Rc<Policy>, client: &ClientId) {
    let inner = Rc::clone(inner);
    let policy = Rc::clone(policy);
    let bucket = BucketId {
        policy: policy.settings().name.clone(),
        client: client.clone(),
    };
    spawn_local(async move {
        while let Some(demand) = next_demand(&inner, place, &policy) {
            let answer = call(&inner, place, &policy, &bucket, demand).await;
            settle(&inner, place, &policy, &bucket.client, &answer);
        }
    });
}

fn next_demand(inner: &Inner, place: Place, policy: &Policy) -> Option<Demand> {
    let mut table = inner.table.borrow_mut();
    table.at(place)?.entry.next_demand(policy, Instant::now())
}

async fn call(
    inner: &Inner,
    place: Place,
    policy: &Rc<Policy>,
    bucket: &BucketId,
    demand: Demand,
) -> Answer {
    let resets = inner.resets.get();
    let mut id = inner.number(policy, demand.need);
    // Before the first poll: the store cannot have decided earlier.
    let sent = Instant::now();
    policy.tally.store_calls.add(1);
    let (taken, degraded) = match ask(inner, policy, bucket, &demand, id).await {
        Ok(taken) => (taken, false),
        Err(error) => {
            // Why is known to the store's own log and metrics; here it only matters that there is no answer.
            policy.tally.store_failures.add(1);
            inner.disown(policy, &bucket.client, id, demand.need, error);
            let all = demand_of_all(inner, place, policy).unwrap_or(demand);
            id = inner.number(policy, all.need);
            (
                degrade::take(&inner.shared, policy, bucket, &all, id).await,
                true,
            )
        }
    };
    Answer {
        taken,
        sent,
        received: Instant::now(),
        degraded,
        first_slot: id.first,
        outdated: resets != inner.resets.get(),
    }
}

fn demand_of_all(inner: &Inner, place: Place, policy: &Policy) -> Option<Demand> {
    let mut table = inner.table.borrow_mut();
    table.at(place)?.entry.demand_of_all(policy)
}

async fn ask(
    inner: &Inner,
    policy: &Policy,
    bucket: &BucketId,
    demand: &Demand,
    id: SlotId,
) -> Result<Taken, StoreError> {
    let store = &inner.store;
    match policy.spec() {
        LimitSpec::TokenBucket(spec) => {
            let ask = Ask {
                need: demand.need,
                spare: demand.spare,
                share: inner.shared.share(),
            };
            store.take(bucket, spec, ask).await
        }
        LimitSpec::Window(spec) => store.count(bucket, spec, demand.batch).await,
        LimitSpec::Concurrency(spec) => store.acquire(bucket, spec, id, demand.batch).await,
    }
}

fn settle(
    inner: &Rc<Inner>,
    place: Place,
    policy: &Rc<Policy>,
    client: &ClientId,
    answer: &Answer,
) {
    let mut table = inner.table.borrow_mut();
    let Some(slot) = table.at(place) else {
        return;
    };
    let settled = slot.entry.settle(policy, answer);
    if settled.answered > 1 {
        policy.tally.coalesced.add(settled.answered as u64);
    }
    if let Some((tokens, until)) = settled.held {
        policy.tally.leased.add(tokens);
        spawn_local(return_unspent(Rc::clone(inner), place, until));
    }
    let spent = Tranche {
        tokens: settled.unused,
        debited_at: answer.taken.at,
        until: answer.received,
    };
    let debit = Debit {
        spent,
        degraded: answer.degraded,
        slot: 0,
    };
    inner.returns.undo(policy, client, debit);
    for debit in settled.abandoned {
        inner.returns.undo(policy, client, debit);
    }
}

/// Gives back what is left of a lease when its time is over. Whatever has become of the place by then: what it takes out is only
/// ever what may no longer be spent.
async fn return_unspent(inner: Rc<Inner>, place: Place, until: Instant) {
    sleep_until(until).await;
    let mut table = inner.table.borrow_mut();
    if let Some(slot) = table.at(place) {
        let expired = slot.entry.expired(Instant::now());
        inner.returns.give(&slot.policy, &slot.client, expired);
    }
}
