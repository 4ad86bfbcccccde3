//! One upstream's circuit, as requests meet it.
//!
//! Guarantees: while calls go through, admitting one costs one atomic load, and its success another; a refusal costs no call of the
//! store, and of all requests of this process at most one at a time asks for a probe. Must not: speak HTTP.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Hook;
use super::knowledge::{Knowledge, Plan};
use super::permit::{Held, Permit, Rejected};
use super::snapshot::{History, Snapshot};
use super::tally::Tally;
use super::ticket::{Gate, Ticket};
use crate::policy::circuit::{CircuitSpec, Command, Outcomes, ProbeId, View};
use crate::policy::ids::{ReplicaId, UpstreamName};
use crate::policy::units::Micros;
use crate::store::{Store, StoreError};

/// Probes given up that the store has not heard of yet; beyond these a lease ends on its own.
const MOST_ABANDONED: usize = 64;

/// One upstream's circuit, shared by all threads of this process.
pub struct Circuit {
    name: UpstreamName,
    spec: CircuitSpec,
    replica: ReplicaId,
    gate: Gate,
    is_failing: AtomicBool,
    tally: Tally,
    // Held for a few instructions, never across an await, and on no path of a call through a closed circuit.
    state: Mutex<Inner>,
    given_up: Arc<Notify>,
    hook: Hook,
}

struct Inner {
    knowledge: Knowledge,
    history: History,
    abandoned: Vec<ProbeId>,
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit")
            .field("name", &self.name)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

impl Circuit {
    pub(super) fn new(
        name: UpstreamName,
        spec: CircuitSpec,
        replica: ReplicaId,
        given_up: Arc<Notify>,
        hook: Hook,
    ) -> Self {
        let state = Mutex::new(Inner {
            knowledge: Knowledge::new(&spec, &replica),
            history: History::default(),
            abandoned: Vec::new(),
        });
        Self {
            name,
            spec,
            replica,
            gate: Gate::default(),
            is_failing: AtomicBool::new(false),
            tally: Tally::default(),
            state,
            given_up,
            hook,
        }
    }

    /// The same circuit going by `spec`: with its state, its epoch and its past. Calls under way answer to the one they began with,
    /// and through the store to both.
    pub(super) fn respecified(&self, spec: CircuitSpec) -> Self {
        let inner = self.lock();
        let knowledge = inner.knowledge.respecified(&spec);
        let history = inner.history.clone();
        drop(inner);
        let (replica, given_up) = (self.replica.clone(), Arc::clone(&self.given_up));
        let hook = Arc::clone(&self.hook);
        let changed = Self::new(self.name.clone(), spec, replica, given_up, hook);
        changed.gate.set(knowledge.ticket());
        let failing = knowledge.is_failing();
        changed.is_failing.store(failing, Ordering::Relaxed);
        let mut inner = changed.lock();
        (inner.knowledge, inner.history) = (knowledge, history);
        drop(inner);
        changed
    }

    /// The upstream's name.
    #[must_use]
    pub const fn upstream(&self) -> &UpstreamName {
        &self.name
    }

    /// Leave for one call. A probe is held for `lease`: give it as long as the call may take, and a little more.
    ///
    /// # Errors
    /// The circuit lets no call through.
    pub async fn admit(&self, store: &Store, lease: Duration) -> Result<Permit<'_>, Rejected> {
        let ticket = self.gate.ticket();
        if ticket.is_shut() {
            // Boxed: most calls find it closed, and all would hold the state of the others.
            Box::pin(self.admit_through_shut(store, lease.into())).await
        } else {
            Ok(Permit::new(self, ticket, Held::Nothing))
        }
    }

    async fn admit_through_shut(
        &self,
        store: &Store,
        lease: Micros,
    ) -> Result<Permit<'_>, Rejected> {
        match self.with(|known| known.plan(lease)) {
            Plan::Ask => {}
            plan => return self.carried_out(plan),
        }
        let _asking = Finally(|| self.with(Knowledge::asked));
        let admit = Command::Admit {
            replica: self.replica.clone(),
            lease,
        };
        match self.ask(store, &admit).await {
            Ok(View {
                probe: Some(probe),
                epoch,
                ..
            }) => {
                let ticket = self.with(|known| known.ticket()).of_epoch(epoch);
                Ok(Permit::new(self, ticket, Held::Probe(probe)))
            }
            Ok(_) => self.carried_out(self.with(|known| known.plan(lease))),
            Err(_) => {
                let is_lost = !store.is_up();
                self.carried_out(self.with(|known| {
                    known.unanswered(is_lost);
                    known.plan(lease)
                }))
            }
        }
    }

    fn carried_out(&self, plan: Plan) -> Result<Permit<'_>, Rejected> {
        match plan {
            Plan::Through(ticket) => Ok(Permit::new(self, ticket, Held::Nothing)),
            Plan::OwnProbe(ticket, probe) => Ok(Permit::new(self, ticket, Held::OwnProbe(probe))),
            Plan::Refuse(retry_after) => Err(Rejected { retry_after }),
            Plan::Ask => Err(Rejected {
                retry_after: Micros::from_millis(1),
            }),
        }
    }

    /// Whether it does not let every call through, being open or half-open: one atomic load.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        self.gate.ticket().is_shut()
    }

    /// What this circuit looks like now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut inner = self.lock();
        let transitions = inner.history.to_vec();
        let retry_after = inner.knowledge.retry_after();
        let known = &inner.knowledge;
        let heard = known.heard();
        Snapshot {
            upstream: self.name.clone(),
            state: known.effective(),
            fleet: known.fleet(),
            own: known.own(),
            epoch: known.epoch(),
            since: heard
                .and_then(|view| view.last.as_ref())
                .map(|last| last.at),
            retry_after,
            failures: heard.map_or(0, |view| view.failures),
            forced: heard.and_then(|view| view.forced.clone()),
            transitions,
        }
    }

    // === For the rest of the room ===

    /// Whether successes are counted though nothing fails.
    pub(super) const fn is_counting(&self) -> bool {
        self.spec.ratio.is_some() || self.spec.slow.is_some()
    }

    pub(super) const fn spec(&self) -> &CircuitSpec {
        &self.spec
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn ticket(&self) -> Ticket {
        self.gate.ticket()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Changes what is known, and lets everybody see what follows.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Knowledge) -> T) -> T {
        let mut inner = self.lock();
        let answer = act(&mut inner.knowledge);
        let (was, is) = (self.gate.ticket(), inner.knowledge.ticket());
        if was != is {
            self.gate.set(is);
        }
        if was.epoch() != is.epoch() {
            // Successes of another epoch.
            self.tally.take();
        }
        self.is_failing
            .store(inner.knowledge.is_failing(), Ordering::Relaxed);
        // Still under the lock, or two transitions could be told in the wrong order.
        for transition in inner.knowledge.unsaid() {
            (self.hook)(&self.name, &transition);
            inner.history.push(transition);
        }
        answer
    }

    /// Asks the store, and takes its answer over.
    pub(super) async fn ask(&self, store: &Store, command: &Command) -> Result<View, StoreError> {
        let question = self.with(Knowledge::question);
        let view = store.circuit(&self.name, &self.spec, command).await?;
        self.with(|known| known.adopt(&view, question));
        Ok(view)
    }

    /// Tells the store how calls went.
    pub(super) async fn tell(
        &self,
        store: &Store,
        ticket: Ticket,
        outcomes: Outcomes,
        probe: Option<ProbeId>,
    ) -> Result<View, StoreError> {
        let report = Command::Report {
            epoch: ticket.epoch(),
            replica: self.replica.clone(),
            outcomes,
            probe,
        };
        self.ask(store, &report).await
    }

    /// Gives a probe of the fleet's back, as soon as the background gets to it.
    pub(super) fn abandon(&self, probe: ProbeId) {
        let mut inner = self.lock();
        if inner.abandoned.len() < MOST_ABANDONED {
            inner.abandoned.push(probe);
            self.given_up.notify_one();
        }
    }

    pub(super) fn abandoned(&self) -> Vec<ProbeId> {
        std::mem::take(&mut self.lock().abandoned)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs when dropped, so that a request whose client leaves keeps nobody waiting.
pub(super) struct Finally<F: FnMut()>(pub(super) F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
