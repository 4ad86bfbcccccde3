//! Every upstream's endpoints, for the whole process, and the background work that keeps them current.
//!
//! Guarantees: checks and look-ups run where [`Directory::tend`] runs and never on a worker; a process has one checker of each
//! endpoint, however many workers. Must not: be asked by a request; workers hold the [`Membership`] they need.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, LocalSet, spawn_local};

use super::membership::{Hook, Membership};
use super::settings::Settings;
use super::{check, resolve};
use crate::policy::ids::UpstreamName;

/// Checks under way at a time, of all upstreams.
const CHECKS_AT_A_TIME: usize = 64;

/// The endpoints of every upstream.
pub struct Directory {
    upstreams: Vec<Arc<Membership>>,
    hook: Hook,
}

impl Directory {
    /// The upstreams as configured. `hook` is told of every change, on the thread that makes it.
    #[must_use]
    pub fn new(upstreams: &[Settings], hook: &Hook) -> Arc<Self> {
        let upstreams = upstreams.iter().map(|one| Membership::new(one, hook));
        Arc::new(Self {
            upstreams: upstreams.collect(),
            hook: Arc::clone(hook),
        })
    }

    /// The directory of other `upstreams`: one that stays as it was is the same, with what is known of its endpoints.
    #[must_use]
    pub fn renewed(&self, upstreams: &[Settings]) -> Arc<Self> {
        let membership = |settings: &Settings| {
            let known = self.of(&settings.name);
            let same = known.filter(|known| known.settings().is_same_apart_from_circuit(settings));
            same.map_or_else(|| Membership::new(settings, &self.hook), Arc::clone)
        };
        Arc::new(Self {
            upstreams: upstreams.iter().map(membership).collect(),
            hook: Arc::clone(&self.hook),
        })
    }

    /// The endpoints of one upstream.
    #[must_use]
    pub fn of(&self, name: &UpstreamName) -> Option<&Arc<Membership>> {
        self.upstreams
            .iter()
            .find(|one| one.settings().name == *name)
    }

    /// Every upstream's.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Membership>> {
        self.upstreams.iter()
    }

    /// Whether `membership` is in it.
    #[must_use]
    pub fn holds(&self, membership: &Arc<Membership>) -> bool {
        self.upstreams
            .iter()
            .any(|one| Arc::ptr_eq(one, membership))
    }

    /// Looks names up, checks endpoints and takes ejected ones back, for ever, in whichever directory is the `current` one.
    pub async fn tend(mut current: watch::Receiver<Arc<Self>>) {
        let tasks = LocalSet::new();
        tasks
            .run_until(async {
                let slots = Rc::new(Semaphore::new(CHECKS_AT_A_TIME));
                let mut tended: Vec<(Arc<Membership>, Vec<AbortHandle>)> = Vec::new();
                loop {
                    let directory = Arc::clone(&current.borrow_and_update());
                    tended.retain(|(membership, tasks)| {
                        let stays = directory.holds(membership);
                        if !stays {
                            membership.close();
                            tasks.iter().for_each(AbortHandle::abort);
                        }
                        stays
                    });
                    for membership in &directory.upstreams {
                        if !tended.iter().any(|(one, _)| Arc::ptr_eq(one, membership)) {
                            tended.push((Arc::clone(membership), look_after(membership, &slots)));
                        }
                    }
                    if current.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            })
            .await
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.upstreams).finish()
    }
}

/// Begins everything that keeps one upstream's endpoints current.
fn look_after(membership: &Arc<Membership>, slots: &Rc<Semaphore>) -> Vec<AbortHandle> {
    let mut tasks = Vec::new();
    for place in resolve::names(membership.settings()) {
        tasks.push(spawn_local(resolve::follow(Arc::clone(membership), place)).abort_handle());
    }
    if membership.settings().health.is_some() {
        let checking = check::all(Arc::clone(membership), Rc::clone(slots));
        tasks.push(spawn_local(checking).abort_handle());
    }
    if membership.settings().balance.ejection.is_some() {
        tasks.push(spawn_local(take_back(Arc::clone(membership))).abort_handle());
    }
    tasks
}

/// Takes ejected endpoints back when their time is over.
async fn take_back(membership: Arc<Membership>) {
    let mut changes = membership.changes();
    loop {
        changes.mark_unchanged();
        let next = membership.take_back();
        let wait = async {
            match next {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}
