//! Which clients are near or over their limit, as one thread remembers them: for operators.
//!
//! Guarantees: a look costs a bounded number of entries a tick, and a lock only at the end of a round; at most [`KEPT`] clients of
//! each limit are told, those that are refused first, then those with the least left. Must not: be part of a request's way, or name
//! a client in a metric.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Inner;
use super::entry::Standing;
use super::policies::Policy;
use crate::policy::ids::{ClientId, PolicyName};

/// Clients told of each limit.
pub(super) const KEPT: usize = 20;
/// Entries looked at in one tick: some tens of microseconds.
const A_TICK: usize = 4_096;
/// The least time from one round to the next.
const ROUND: Duration = Duration::from_secs(1);

/// A client that has used some of its limit.
#[derive(Clone, Debug, PartialEq)]
pub struct HotClient {
    /// Who.
    pub client: ClientId,
    /// How far from the limit it is, as far as this process knows.
    pub standing: Standing,
    /// Requests per second under the limit.
    pub rate: f64,
}

impl HotClient {
    /// The hotter is less: refused, with less left, asking more often.
    fn order(&self, other: &Self) -> Ordering {
        let key = |one: &Self| {
            let standing = &one.standing;
            (Reverse(standing.retry_after.get() > 0), standing.remaining)
        };
        let by_rate = other.rate.total_cmp(&self.rate);
        key(self).cmp(&key(other)).then(by_rate)
    }
}

/// A walk through one thread's table.
#[derive(Debug, Default)]
pub(super) struct Round {
    next: usize,
    began: Option<Instant>,
    /// When the one before began: since then requests were counted.
    before: Option<Instant>,
    found: BTreeMap<u32, (Rc<Policy>, Vec<HotClient>)>,
}

impl Inner {
    /// Looks at some more of the table, and tells what was found once it has seen all of it.
    pub(super) fn look_for_hot_clients(&self, now: Instant) {
        let mut round = self.round.borrow_mut();
        let is_new = round.next == 0;
        if is_new && round.began.is_some_and(|began| now < began + ROUND) {
            return;
        }
        if is_new {
            round.before = round.began.replace(now);
        }
        let since = round.before.map(|then| now.saturating_duration_since(then));
        let span = since.unwrap_or(ROUND).max(ROUND).as_secs_f64();
        let mut table = self.table.borrow_mut();
        let from = round.next;
        for slot in table.some_mut(from, A_TICK) {
            if let Some(standing) = slot.entry.standing(&slot.policy, now) {
                let rate = f64::from(standing.asked) / span;
                round.consider(&slot.policy, &slot.client, standing, rate);
            }
        }
        round.next = from + A_TICK;
        if round.next >= table.places() {
            round.next = 0;
            self.shared
                .hot
                .tell(self.holder, std::mem::take(&mut round.found));
        }
    }
}

impl Round {
    fn consider(&mut self, policy: &Rc<Policy>, client: &ClientId, standing: Standing, rate: f64) {
        let new = || (Rc::clone(policy), Vec::new());
        let (_, best) = self.found.entry(policy.id).or_insert_with(new);
        // The client is cloned only if it stays: most do not.
        let candidate = HotClient {
            client: ClientId::V4(std::net::Ipv4Addr::UNSPECIFIED),
            standing,
            rate,
        };
        let place = best.partition_point(|one| one.order(&candidate).is_le());
        if place < KEPT {
            let client = client.clone();
            best.insert(
                place,
                HotClient {
                    client,
                    ..candidate
                },
            );
            best.truncate(KEPT);
        }
    }
}

/// What the threads of this process found in their last round.
#[derive(Debug, Default)]
pub(super) struct Hot(Mutex<BTreeMap<u64, Found>>);

type Found = Vec<(PolicyName, Vec<HotClient>)>;

impl Hot {
    fn tell(&self, holder: u64, found: BTreeMap<u32, (Rc<Policy>, Vec<HotClient>)>) {
        let found = found.into_values();
        let found = found.map(|(policy, clients)| (policy.settings().name.clone(), clients));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(holder, found.collect());
    }

    /// A thread has ended.
    pub(super) fn forget(&self, holder: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&holder);
    }

    /// The hottest clients of each limit over all threads, the hottest first.
    pub(super) fn of_all(&self) -> BTreeMap<PolicyName, Vec<HotClient>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = BTreeMap::<PolicyName, Vec<HotClient>>::new();
        for (policy, clients) in all.values().flatten() {
            let known = sum.entry(policy.clone()).or_default();
            for client in clients {
                match known.iter_mut().find(|one| one.client == client.client) {
                    Some(same) => same.add(client),
                    None => known.push(client.clone()),
                }
            }
        }
        for clients in sum.values_mut() {
            clients.sort_by(HotClient::order);
            clients.truncate(KEPT);
        }
        sum
    }
}

impl HotClient {
    /// The same client on another thread: a bucket is as the thread knows it that asked last, which is where it is full latest.
    fn add(&mut self, other: &Self) {
        if other.standing.full_after > self.standing.full_after {
            self.standing = other.standing;
        }
        self.rate += other.rate;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::LocalSet;

    use super::*;
    use crate::limiter::testing::policy;
    use crate::limiter::{Limiter, Shared};
    use crate::policy::units::Micros;
    use crate::store::Store;

    #[tokio::test(start_paused = true)]
    async fn of_many_clients_those_with_least_left_are_told_and_forgotten_once_they_have_all() {
        let work = async {
            let shared = Shared::new(Store::memory(1 << 16));
            let settings = policy(|limit| limit.leases = false).settings().clone();
            let limiter = Limiter::new(Store::memory(1 << 16), vec![settings], Arc::clone(&shared));
            let policy = limiter.policy(&"per-client".into()).unwrap();
            for number in 0..100 {
                let client = ClientId::V4(number.into());
                for _ in 0..=number {
                    limiter.take(&policy, &client, 1).await;
                }
            }
            let eager = ClientId::V4(7.into());
            limiter.take(&policy, &eager, 100).await;
            limiter.tick();
            let told = shared.hottest().remove(&"per-client".into()).unwrap();
            assert_eq!(told.len(), KEPT);
            assert!(told[0].client == eager && told[0].standing.retry_after > Micros::ZERO);
            let left: Vec<_> = told[1..].iter().map(|one| one.standing.remaining).collect();
            assert_eq!(left, (0..KEPT as u64 - 1).collect::<Vec<_>>());
            assert!((told[1].rate - 100.0).abs() < 1e-9);
            tokio::time::advance(Duration::from_secs(3_600)).await;
            limiter.tick();
            assert!(shared.hottest().is_empty());
            drop((limiter, policy));
            assert!(shared.hot.0.lock().unwrap().is_empty());
        };
        LocalSet::new().run_until(work).await;
    }
}
