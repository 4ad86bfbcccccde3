//! Floor 1b: the near side of the circuits.
//!
//! One [`Breaker`] a process, shared by its threads. A route resolves its [`Circuit`] once; each attempt asks it for a [`Permit`] and
//! reports through it. [`sync()`] runs beside the requests and hears what other replicas found out.
//!
//! Guarantees: a call through a closed circuit makes no call of the store; a failure is told at once; losing the store loses no
//! protection, because each replica also decides for itself ([`knowledge`]). Must not: know what a status is, or whether a call may
//! be repeated.

mod ticket;
mod tally;
mod snapshot;
mod own;
mod knowledge;
mod heard;
mod circuit;
mod permit;
mod sync;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

pub use self::circuit::Circuit;
pub use self::permit::{Outcome, Permit, Rejected};
pub use self::snapshot::{Scope, Snapshot, Transition};
pub use self::sync::sync;
pub use self::ticket::Ticket;
use crate::policy::circuit::{CircuitSpec, Command, Hold, View};
use crate::policy::ids::{MAX_TEXT, ReplicaId, UpstreamName};
use crate::store::{Store, StoreError};

/// Hears of every transition this replica sees, in order. It is called under a lock: it must not block, nor call the circuit.
pub type Hook = Arc<dyn Fn(&UpstreamName, &Transition) + Send + Sync>;

/// The least time between two polls.
const LEAST_POLL: Duration = Duration::from_millis(10);

/// The circuits of all upstreams.
pub struct Breaker {
    circuits: BTreeMap<UpstreamName, Arc<Circuit>>,
    replica: ReplicaId,
    poll_every: Duration,
    given_up: Arc<Notify>,
    hook: Hook,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.circuits).finish()
    }
}

/// An operator's wish was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForceError {
    /// No upstream has that name.
    #[error("no upstream has that name")]
    UnknownUpstream,
    /// The fleet could not be told; it may have been all the same.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Breaker {
    /// Circuits for `upstreams`, all closed until heard otherwise. [`sync()`] polls the store each `poll_every`.
    #[must_use]
    pub fn new(
        upstreams: Vec<(UpstreamName, CircuitSpec)>,
        replica: &ReplicaId,
        poll_every: Duration,
        hook: &Hook,
    ) -> Self {
        let given_up = Arc::new(Notify::new());
        let circuits = upstreams.into_iter().map(|(name, spec)| {
            let given_up = Arc::clone(&given_up);
            let circuit = Circuit::new(
                name.clone(),
                spec,
                replica.clone(),
                given_up,
                Arc::clone(hook),
            );
            (name, Arc::new(circuit))
        });
        Self {
            circuits: circuits.collect(),
            replica: replica.clone(),
            poll_every: poll_every.max(LEAST_POLL),
            given_up,
            hook: Arc::clone(hook),
        }
    }

    /// The circuits for other `upstreams`: one that stays as it was is the same, one whose rule changed keeps its state, one that is
    /// new begins closed.
    #[must_use]
    pub fn renewed(&self, upstreams: Vec<(UpstreamName, CircuitSpec)>) -> Self {
        let circuits = upstreams.into_iter().map(|(name, spec)| {
            let circuit = match self.circuits.get(&name) {
                Some(same) if *same.spec() == spec => Arc::clone(same),
                Some(changed) => Arc::new(changed.respecified(spec)),
                None => {
                    let (replica, hook) = (self.replica.clone(), Arc::clone(&self.hook));
                    let given_up = Arc::clone(&self.given_up);
                    Arc::new(Circuit::new(name.clone(), spec, replica, given_up, hook))
                }
            };
            (name, circuit)
        });
        Self {
            circuits: circuits.collect(),
            replica: self.replica.clone(),
            poll_every: self.poll_every,
            given_up: Arc::clone(&self.given_up),
            hook: Arc::clone(&self.hook),
        }
    }

    /// An upstream's circuit. Resolve it once, not for each request.
    #[must_use]
    pub fn circuit(&self, upstream: &UpstreamName) -> Option<Arc<Circuit>> {
        self.circuits.get(upstream).map(Arc::clone)
    }

    /// Every circuit as it looks now, by name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Snapshot> {
        self.circuits
            .values()
            .map(|circuit| circuit.snapshot())
            .collect()
    }

    /// Holds an upstream's circuit open or closed, in the whole fleet, until [`Self::reset`].
    ///
    /// # Errors
    /// The name is unknown, or the store gave no answer.
    pub async fn force(
        &self,
        store: &Store,
        upstream: &UpstreamName,
        to: Hold,
        by: &str,
        reason: &str,
    ) -> Result<View, ForceError> {
        self.decide(store, upstream, Some(to), by, reason).await
    }

    /// Closes an upstream's circuit, in the whole fleet, and lets it decide for itself again.
    ///
    /// # Errors
    /// The name is unknown, or the store gave no answer.
    pub async fn reset(
        &self,
        store: &Store,
        upstream: &UpstreamName,
        by: &str,
        reason: &str,
    ) -> Result<View, ForceError> {
        self.decide(store, upstream, None, by, reason).await
    }

    async fn decide(
        &self,
        store: &Store,
        upstream: &UpstreamName,
        to: Option<Hold>,
        by: &str,
        reason: &str,
    ) -> Result<View, ForceError> {
        let circuit = self
            .circuits
            .get(upstream)
            .ok_or(ForceError::UnknownUpstream)?;
        // Kept with the record and read by every poll: a word, not an essay.
        let cut = |text: &str| text.chars().take(MAX_TEXT).collect::<String>().into();
        let force = Command::Force {
            to,
            by: cut(by),
            reason: cut(reason),
        };
        Ok(circuit.ask(store, &force).await?)
    }

    fn circuits(&self) -> impl Iterator<Item = &Circuit> {
        self.circuits.values().map(Arc::as_ref)
    }

    const fn poll_every(&self) -> Duration {
        self.poll_every
    }

    fn given_up(&self) -> &Notify {
        &self.given_up
    }
}
