//! One asks the origin, the others wait: the answers this process is asking for now.
//!
//! Guarantees: of all that miss a variant at once, one fills it; whoever fills and goes away hands the turn on; a purge voids what is
//! being filled. Bounded by the requests in flight. Must not: wait longer than its caller says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry as Place;
use tokio::sync::watch;

use super::entry::Entry;
use crate::policy::cacheability::Digest;
use crate::store::cache::VariantId;

/// How a fill stands.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// The origin is being asked.
    Filling,
    /// Here is the answer.
    Done(Arc<Entry>),
    /// The origin fails; this is what there is.
    Failed(Arc<Entry>),
    /// The answer is not for keeping: ask yourself.
    Pass,
    /// Whoever asked went away: somebody else must.
    Abandoned,
}

/// A fill under way.
#[derive(Debug)]
pub(super) struct Underway {
    pub(super) id: VariantId,
    void: AtomicBool,
    state: watch::Sender<State>,
}

/// What to do about a miss.
#[derive(Debug)]
pub(super) enum Begun {
    /// Fill it.
    First(Arc<Underway>),
    /// Wait for who does.
    Later(watch::Receiver<State>),
}

#[derive(Debug, Default)]
pub(super) struct Fills(Mutex<HashMap<Digest, Arc<Underway>, RandomState>>);

impl Fills {
    /// The fill of a variant: the caller's to make, or to wait for.
    pub(super) fn begin(&self, id: VariantId) -> Begun {
        match self.lock().entry(id.variant) {
            Place::Occupied(place) => Begun::Later(place.get().state.subscribe()),
            Place::Vacant(place) => {
                let underway = Arc::new(Underway {
                    id,
                    void: AtomicBool::new(false),
                    state: watch::Sender::new(State::Filling),
                });
                place.insert(Arc::clone(&underway));
                Begun::First(underway)
            }
        }
    }

    /// Ends a fill, and tells those who wait.
    pub(super) fn end(&self, underway: &Underway, state: State) {
        self.lock().remove(&underway.id.variant);
        underway.state.send_replace(state);
    }

    /// What is being asked for of `target` was asked before a purge.
    pub(super) fn void(&self, target: &Digest) {
        for underway in self.lock().values() {
            if underway.id.target == *target {
                underway.void.store(true, Ordering::Release);
            }
        }
    }

    /// The same, for everything.
    pub(super) fn void_all(&self) {
        for underway in self.lock().values() {
            underway.void.store(true, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Underway>, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Underway {
    pub(super) fn is_void(&self) -> bool {
        self.void.load(Ordering::Acquire)
    }
}
