//! Floor 1a: the far side of a request. An [`Upstream`] is a name and interchangeable endpoints, with connections of the calling
//! thread's own.
//!
//! Guarantees: one attempt is one call to [`Upstream::send`], which ends within the upstream's timeout; what it took is given
//! back by guards. Must not: retry an attempt that reached the endpoint, know a route, a limit or a circuit.

pub mod settings;
mod body;
mod tls;
mod anyone;
mod link;
mod multiplexed;
mod connect;
mod endpoint;
mod pool;
mod replay;
mod upload;
mod attempt;

pub use attempt::{AttemptError, Received};
pub use body::ResponseBody;
pub use endpoint::{Endpoint, InFlight};
pub use replay::Sending;
pub use tls::server_name;
pub use upload::{RequestBody, UploadBounds, UploadFault, UploadState};

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, StatusCode};

use crate::policy::ids::UpstreamName;
use settings::Settings;

/// A set of interchangeable endpoints, as one data-plane thread sees it.
#[derive(Debug)]
pub struct Upstream {
    name: UpstreamName,
    timeout: Duration,
    failure_statuses: Vec<u16>,
    endpoints: Vec<Rc<Endpoint>>,
    next: Cell<usize>,
}

impl Upstream {
    /// An upstream with no connections yet. Threads start at different endpoints: `offset` is the thread's number.
    #[must_use]
    pub fn new(settings: &Settings, offset: usize) -> Self {
        let endpoints = settings
            .endpoints
            .iter()
            .map(|one| Rc::new(Endpoint::new(one, settings)));
        Self {
            name: settings.name.clone(),
            timeout: settings.timeout,
            failure_statuses: settings.failure_statuses.clone(),
            endpoints: endpoints.collect(),
            next: Cell::new(offset),
        }
    }

    /// Its configured name.
    #[must_use]
    pub const fn name(&self) -> &UpstreamName {
        &self.name
    }

    /// The longest one attempt may take to its response head.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether an answer with this status counts as a failure of the upstream.
    #[must_use]
    pub fn is_failure(&self, status: StatusCode) -> bool {
        self.failure_statuses.contains(&status.as_u16())
    }

    /// The endpoint for the next attempt: round robin.
    #[must_use]
    pub fn pick(&self) -> Option<Rc<Endpoint>> {
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        self.endpoints
            .get(turn % self.endpoints.len().max(1))
            .cloned()
    }

    /// Sends one request to `endpoint` and waits for the response head, no longer than `limit`.
    ///
    /// # Errors
    /// [`AttemptError`] says what broke, whose fault it was and whether the endpoint may have seen the request.
    pub async fn send(
        &self,
        endpoint: &Rc<Endpoint>,
        request: Request<RequestBody>,
        limit: Duration,
    ) -> Result<Received, AttemptError> {
        let in_flight = InFlight::enter(endpoint);
        let upload = request.body().upload();
        match tokio::time::timeout(limit, attempt::send(endpoint, request)).await {
            Ok(result) => result.map(|response| response.map(|body| body.holding(in_flight))),
            // What the client has not sent yet, the upstream cannot answer.
            Err(_) if upload.is_some_and(|upload| upload.is_waiting()) => {
                Err(AttemptError::Client(UploadFault::TooSlow))
            }
            Err(_) => Err(AttemptError::Timeout),
        }
    }

    /// Closes idle connections that are past their time; called by the worker's tick.
    pub fn sweep(&self) {
        for endpoint in &self.endpoints {
            endpoint.pool().sweep();
        }
    }
}
