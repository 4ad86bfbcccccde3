//! Hearing of what other replicas purged, and telling what could not be told.
//!
//! Guarantees: a purge is heard at once, and within a poll if it was not; a channel that broke takes with it what it may have missed;
//! what the store did not take is told again. Bounded. Must not: run on a thread that serves requests.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Cache;
use super::tags::Tag;
use crate::policy::cacheability::Digest;
use crate::store::{Event, Store};

/// How often the generations are looked up, so that a purge that was not heard is known within a second.
const POLL: Duration = Duration::from_millis(500);
/// How long until a channel that broke is opened again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Purges that wait to be told. What is beyond is void here, and elsewhere until its lifetime ends.
const MOST_OWED: usize = 10_000;

/// Purges the store did not take.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<Debts>);

#[derive(Debug, Default)]
struct Debts {
    targets: BTreeSet<Digest>,
    tags: Vec<Tag>,
}

impl Owed {
    pub(super) fn target(&self, target: Digest) {
        let mut debts = self.lock();
        if debts.targets.len() < MOST_OWED {
            debts.targets.insert(target);
        }
    }

    pub(super) fn tag(&self, tag: Tag) {
        let mut debts = self.lock();
        if !debts.tags.contains(&tag) {
            debts.tags.push(tag);
        }
    }

    fn take(&self) -> Debts {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Debts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the cache that is in force up to date with the fleet's purges, for ever.
pub async fn sync(current: impl Fn() -> Arc<Cache>, store: &Store) {
    tokio::join!(listen(&current, store), poll(&current, store));
}

async fn listen(current: &impl Fn() -> Arc<Cache>, store: &Store) {
    let mut has_listened = false;
    loop {
        if let Ok(mut events) = store.subscribe().await {
            if std::mem::replace(&mut has_listened, true) {
                let cache = current();
                // Something may have been said while nobody listened.
                cache.fills.void_all();
                cache.memory.clear();
            }
            look(&current(), store).await;
            while let Some(event) = events.next().await {
                hear(&current(), &event);
            }
        }
        sleep(AGAIN_AFTER).await;
    }
}

fn hear(cache: &Cache, event: &Event) {
    match event {
        Event::TagPurged { tag, generation } => cache.tags.learn(tag, *generation),
        Event::TargetPurged { target } => cache.hear_target(target),
        _ => {}
    }
}

async fn poll(current: &impl Fn() -> Arc<Cache>, store: &Store) {
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let cache = current();
        if look(&cache, store).await {
            pay(&cache, store).await;
        }
    }
}

/// Looks the generations up; whether the store answered.
async fn look(cache: &Cache, store: &Store) -> bool {
    let Ok(tags) = store.tags().await else {
        return false;
    };
    for (tag, generation) in tags {
        cache.tags.learn(&tag, generation);
    }
    cache.informed.store(true, Ordering::Release);
    true
}

/// Tells what could not be told; what still cannot be is owed again.
async fn pay(cache: &Cache, store: &Store) {
    let debts = cache.owed.take();
    for target in debts.targets {
        let _ = cache.purge_target(Some(store), &target).await;
    }
    for tag in debts.tags {
        let _ = cache.purge_tag(Some(store), tag).await;
    }
}
