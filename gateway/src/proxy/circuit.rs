//! The circuit before each attempt, and what each attempt tells it. Here HTTP becomes success and failure.
//!
//! Guarantees: a refusal by an open circuit never touches the upstream; a failure is reported before its answer is sent. Must not:
//! keep state of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::forward::UpstreamMetrics;
use super::overload::Admission;
use super::record::Sharing;
use super::refusal::Refusal;
use super::spans;
use crate::breaker::{self, Circuit, Outcome, Ticket};
use crate::policy::ids::UpstreamName;
use crate::store::Store;
use crate::upstream::{AttemptError, Received, Upstream};

/// Time a probe's holder gets beyond the attempt's own timeout before the fleet gives the probe to another.
const PROBE_MARGIN: Duration = Duration::from_secs(1);

/// An upstream behind its circuit.
#[derive(Debug)]
pub(super) struct Guarded {
    upstream: Rc<Upstream>,
    circuit: Arc<Circuit>,
    store: Store,
    metrics: UpstreamMetrics,
    admission: Admission,
}

/// Leave to make one attempt. Dropped without a report it is given up.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    guarded: &'a Rc<Guarded>,
    /// None for an attempt that the circuit neither allows nor hears of.
    inner: Option<breaker::Permit<'a>>,
}

impl Guarded {
    pub(super) fn new(
        upstream: Rc<Upstream>,
        circuit: Arc<Circuit>,
        store: Store,
        metrics: UpstreamMetrics,
        admission: Admission,
    ) -> Self {
        Self {
            upstream,
            circuit,
            store,
            metrics,
            admission,
        }
    }

    pub(super) fn name(&self) -> &UpstreamName {
        self.upstream.name()
    }

    pub(super) const fn upstream(&self) -> &Rc<Upstream> {
        &self.upstream
    }

    /// Whether it is `circuit` that it is behind.
    pub(super) fn is_behind(&self, circuit: &Arc<Circuit>) -> bool {
        Arc::ptr_eq(&self.circuit, circuit)
    }

    pub(super) const fn metrics(&self) -> &UpstreamMetrics {
        &self.metrics
    }

    pub(super) const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Whether the circuit does not let every attempt through.
    pub(super) fn is_shut(&self) -> bool {
        self.circuit.is_shut()
    }

    /// Leave for one attempt of a route that passes the circuit by.
    pub(super) fn pass_by(self: &Rc<Self>) -> Permit<'_> {
        Permit {
            guarded: self,
            inner: None,
        }
    }

    /// Leave for one attempt, or a refusal that costs the upstream nothing.
    pub(super) async fn admit(
        self: &Rc<Self>,
        context: &Sharing<'_>,
    ) -> Result<Permit<'_>, Refusal> {
        let lease = self.upstream.timeout() + PROBE_MARGIN;
        let asking = context.borrow().trace.is_recording().then(Instant::now);
        match self.circuit.admit(&self.store, lease).await {
            Ok(inner) => {
                if let Some(begun) = asking.filter(|_| inner.is_probe()) {
                    let name = self.name().as_str();
                    let told = spans::store(&self.store, "circuit_admit", name, begun, true);
                    context.borrow_mut().trace.called(None, told);
                }
                Ok(Permit {
                    guarded: self,
                    inner: Some(inner),
                })
            }
            Err(rejected) => {
                self.metrics.rejections.inc();
                Err(Refusal::CircuitOpen {
                    retry_after: rejected.retry_after,
                })
            }
        }
    }
}

impl Permit<'_> {
    /// Tells the circuit what became of the attempt, which took `took`; what is still to come of the body can be told through the result.
    pub(super) async fn report(
        self,
        context: &Sharing<'_>,
        result: &Result<Received, AttemptError>,
        took: Duration,
    ) -> Option<LateFailure> {
        let Guarded {
            upstream, store, ..
        } = &**self.guarded;
        let outcome = match result {
            // A client that leaves, or does not wait, says nothing of the upstream: the permit is given up.
            Err(error) if !error.is_upstream_fault() => return None,
            Err(_) => Outcome::Failure,
            Ok(response) if upstream.is_failure(response) => Outcome::Failure,
            Ok(_) => Outcome::Success,
        };
        let inner = self.inner?;
        let ticket = inner.ticket();
        // Of the others the fleet is told together, or not at all.
        let tells = outcome == Outcome::Failure || inner.is_probe();
        let telling = (tells && context.borrow().trace.is_recording()).then(Instant::now);
        inner.report(store, outcome, took).await;
        if let Some(begun) = telling {
            let name = upstream.name().as_str();
            let told = spans::store(store, "circuit_report", name, begun, true);
            context.borrow_mut().trace.called(None, told);
        }
        (outcome == Outcome::Success).then(|| LateFailure {
            guarded: Rc::clone(self.guarded),
            ticket,
        })
    }
}

/// Tells the circuit of a response that began well and broke off in its body.
#[derive(Debug)]
pub(super) struct LateFailure {
    guarded: Rc<Guarded>,
    ticket: Ticket,
}

impl LateFailure {
    /// Whether `trailers` say that the call failed after all.
    pub(super) fn is_told_by(&self, trailers: &HeaderMap) -> bool {
        self.guarded.upstream.is_grpc_failure(trailers)
    }

    /// In a task of its own: whoever notices is writing to a client.
    pub(super) fn report(self) {
        tokio::task::spawn_local(async move {
            let Guarded { circuit, store, .. } = &*self.guarded;
            circuit.late_failure(store, self.ticket).await;
        });
    }
}
