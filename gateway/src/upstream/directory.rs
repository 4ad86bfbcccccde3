//! Every upstream's endpoints, for the whole process, and the background work that keeps them current.
//!
//! Guarantees: checks and look-ups run where [`Directory::tend`] runs and never on a worker; a process has one checker of each
//! endpoint, however many workers. Must not: be asked by a request; workers hold the [`Membership`] they need.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};

use super::membership::{Hook, Membership};
use super::settings::Settings;
use super::{check, resolve};
use crate::policy::ids::UpstreamName;

/// Checks under way at a time, of all upstreams.
const CHECKS_AT_A_TIME: usize = 64;

/// The endpoints of every upstream.
#[derive(Debug)]
pub struct Directory {
    upstreams: Vec<Arc<Membership>>,
}

impl Directory {
    /// The upstreams as configured. `hook` is told of every change, on the thread that makes it.
    #[must_use]
    pub fn new(upstreams: &[Settings], hook: &Hook) -> Arc<Self> {
        let upstreams = upstreams.iter().map(|one| Membership::new(one, hook));
        Arc::new(Self {
            upstreams: upstreams.collect(),
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

    /// Looks names up, checks endpoints and takes ejected ones back, for ever.
    pub async fn tend(&self) {
        let tasks = LocalSet::new();
        tasks
            .run_until(async {
                let slots = Rc::new(Semaphore::new(CHECKS_AT_A_TIME));
                for membership in &self.upstreams {
                    for place in resolve::names(membership.settings()) {
                        spawn_local(resolve::follow(Arc::clone(membership), place));
                    }
                    if membership.settings().health.is_some() {
                        spawn_local(check::all(Arc::clone(membership), Rc::clone(&slots)));
                    }
                    if membership.settings().balance.ejection.is_some() {
                        spawn_local(take_back(Arc::clone(membership)));
                    }
                }
                std::future::pending().await
            })
            .await
    }
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
