//! Floor 1a: the far side of a request. An [`Upstream`] is a name and interchangeable endpoints, with connections of the calling
//! thread's own. Who the endpoints are and how they fare the threads share: a [`Membership`] each, all in the [`Directory`].
//!
//! Guarantees: one attempt is one call to [`Upstream::send`], which ends within the upstream's timeout; what it took is given
//! back by guards. Must not: retry an attempt that reached the endpoint, know a route, a limit or a circuit.

pub mod settings;
pub mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod body;
mod idle;
mod timer;
mod tls;
mod anyone;
mod socket;
mod held;
mod link;
mod hints;
mod line;
mod multiplexed;
mod connect;
mod endpoint;
mod pool;
mod replay;
mod upload;
mod attempt;
mod tap;
mod member;
mod membership;
mod choice;
mod check;
mod resolve;
mod directory;
mod concurrency;

pub use attempt::{AttemptError, Patience, Received};
pub use body::ResponseBody;
pub use choice::PickHint;
pub use concurrency::{Concurrency, NoPlace, Place};
pub use directory::Directory;
pub use endpoint::{Endpoint, InFlight};
pub use hints::{Hints, Listener};
pub use line::{LineError, Switched};
pub use link::Broken;
pub use member::{Member, MemberSnapshot, Standing};
pub use membership::{Change, Hook, Membership};
pub use replay::Sending;
pub use tls::server_name;
pub use upload::{RequestBody, UploadBounds, UploadFault, UploadState};

pub use tap::{Tap, Tapped};

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, Version};
use tokio::time::Instant;

use crate::policy::grpc::GrpcStatus;
use crate::policy::ids::UpstreamName;
use attempt::Missed;
use choice::View;
use settings::{HashKey, Rule};

/// A set of interchangeable endpoints, as one data-plane thread sees it.
#[derive(Debug)]
pub struct Upstream {
    membership: Arc<Membership>,
    timeout: Duration,
    failure_statuses: Vec<u16>,
    grpc_failure_statuses: Vec<GrpcStatus>,
    view: RefCell<View>,
    load: Rc<Cell<usize>>,
}

impl Upstream {
    /// An upstream with no connections yet. Threads start at different endpoints: `offset` is the thread's number.
    #[must_use]
    pub fn new(membership: &Arc<Membership>, offset: usize) -> Self {
        let settings = membership.settings();
        let load = Rc::default();
        Self {
            timeout: settings.timeout,
            failure_statuses: settings.failure_statuses.clone(),
            grpc_failure_statuses: settings.grpc_failure_statuses.clone(),
            view: RefCell::new(View::new(membership, &[], &load, offset)),
            membership: Arc::clone(membership),
            load,
        }
    }

    /// Whether this is a view of `membership`.
    #[must_use]
    pub fn is_of(&self, membership: &Arc<Membership>) -> bool {
        Arc::ptr_eq(&self.membership, membership)
    }

    /// Its configured name.
    #[must_use]
    pub fn name(&self) -> &UpstreamName {
        &self.membership.settings().name
    }

    /// The longest one attempt may take to its response head.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether its interim answers go on to clients.
    #[must_use]
    pub fn passes_interim(&self) -> bool {
        self.membership.settings().informational
    }

    /// Whether an answer counts as a failure of the upstream: by its status, or by gRPC's, which comes over HTTP/2 alone.
    #[must_use]
    pub fn is_failure<B>(&self, response: &Response<B>) -> bool {
        self.failure_statuses.contains(&response.status().as_u16())
            || (response.version() == Version::HTTP_2 && self.is_grpc_failure(response.headers()))
    }

    /// Whether headers or trailers hold a status of gRPC that counts as a failure.
    #[must_use]
    pub fn is_grpc_failure(&self, fields: &HeaderMap) -> bool {
        fields.get("grpc-status").is_some_and(|status| {
            let status = GrpcStatus::from_wire(status.as_bytes());
            self.grpc_failure_statuses.contains(&status)
        })
    }

    /// What a [`PickHint`] should hold the hash of; none where nothing is hashed.
    #[must_use]
    pub fn hash_key(&self) -> Option<&HashKey> {
        match &self.membership.settings().balance.rule {
            Rule::Hash { key, .. } => Some(key),
            Rule::RoundRobin | Rule::LeastLoaded => None,
        }
    }

    /// The endpoint for the next attempt; none where no endpoint may be asked. One that this request has not tried is preferred.
    #[must_use]
    pub fn pick(&self, hint: PickHint<'_>) -> Option<Rc<Endpoint>> {
        let mut view = self.view.borrow_mut();
        if view.generation() != self.membership.generation() {
            view.renew(&self.membership, &self.load);
        }
        view.pick(hint, self.load.get())
    }

    /// Sends one request to `endpoint` and waits for the response head, as long as `patience` lasts from `began`, the present. `listener`
    /// hears what comes before.
    ///
    /// # Errors
    /// [`AttemptError`] says what broke, whose fault it was and whether the endpoint may have seen the request.
    pub async fn send(
        &self,
        endpoint: &Rc<Endpoint>,
        request: Box<Request<RequestBody>>,
        patience: Patience,
        began: Instant,
        listener: Option<&Listener>,
    ) -> Result<Received, AttemptError> {
        let in_flight = InFlight::enter(endpoint);
        let upload = request.body().upload();
        let until = patience.over(began);
        let result = match attempt::send(endpoint, request, until, listener).await {
            Ok(response) => Ok(response.map(|body| body.holding(in_flight))),
            Err(Missed::Failed(error)) => Err(error),
            // What the client has not sent yet, the upstream cannot answer.
            Err(Missed::Late) if upload.is_some_and(|upload| upload.is_waiting()) => {
                Err(AttemptError::Client(UploadFault::TooSlow))
            }
            Err(Missed::Late) if patience.is_telling => Err(AttemptError::Timeout),
            Err(Missed::Late) => Err(AttemptError::Deadline),
        };
        self.report(endpoint, &result);
        result
    }

    /// What an attempt says of its endpoint.
    fn report(&self, endpoint: &Endpoint, result: &Result<Received, AttemptError>) {
        match result {
            Ok(response) if self.is_failure(response) => {
                let status = format_args!("status {}", response.status().as_u16());
                self.membership.failed(endpoint.member(), &status);
            }
            Ok(_) => endpoint.member().succeeded(),
            Err(error) if error.is_upstream_fault() => {
                self.membership.failed(endpoint.member(), error);
            }
            // A client that left says nothing of the endpoint.
            Err(_) => {}
        }
    }

    /// Closes idle connections that are past their time, and moves on who is warming up; called by the worker's tick.
    pub fn sweep(&self) {
        let mut view = self.view.borrow_mut();
        if view.is_moving() || view.generation() != self.membership.generation() {
            view.renew(&self.membership, &self.load);
        }
        for endpoint in view.endpoints() {
            endpoint.pool().sweep();
            endpoint.tell();
        }
    }
}
