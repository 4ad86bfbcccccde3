//! The plan of attempts: may there be another, and when. The one loop over it is in [`super::attempts`].
//!
//! Guarantees: a request is sent again only when its method is idempotent (RFC 9110, section 9.2.2), the route says that it may be,
//! or nothing of it was sent; only when its body can be sent again; and only within the route's budget. Must not: send.

mod after;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request};

use super::budget::Budget;
use super::deadline::Deadline;
use super::settings::{RetrySettings, RouteSettings};
use crate::policy::grpc::GrpcStatus;
use crate::policy::retry::{Spending, Trouble};
use crate::telemetry::Counter;
use crate::telemetry::metrics::Metrics;
use crate::upstream::{AttemptError, Endpoint, Received, RequestBody};

/// Why attempts without a response failed, as labels.
const TROUBLES: [&str; 6] = [
    "connect_error",
    "connect_timeout",
    "tls_error",
    "refused",
    "timeout",
    "broken",
];

/// A route's retries, ready to be decided.
#[derive(Debug)]
pub(super) struct Retries {
    settings: RetrySettings,
    budget: Arc<Budget>,
    exhausted: Arc<Counter>,
    errors: Vec<(&'static str, Arc<Counter>)>,
    statuses: Vec<(u16, Arc<Counter>)>,
    calls: Vec<(GrpcStatus, Arc<Counter>)>,
}

impl Retries {
    /// The retries of a route that has a budget because it makes more than one attempt.
    pub(super) fn new(metrics: &Metrics, route: &RouteSettings, budget: Arc<Budget>) -> Self {
        let name = route.name.as_str();
        let counter = |reason: &str| metrics.http.retries.with(&[name, reason]);
        let settings = route.retry.clone();
        let status = |status: &u16| (*status, counter(&status.to_string()));
        let call = |status: &GrpcStatus| (*status, counter(&format!("grpc_{}", status.code())));
        Self {
            errors: TROUBLES.map(|label| (label, counter(label))).to_vec(),
            statuses: settings.statuses.iter().map(status).collect(),
            calls: settings.grpc_statuses.iter().map(call).collect(),
            exhausted: metrics.http.retry_budget_exhausted.with(&[name]),
            settings,
            budget,
        }
    }

    /// The longest one attempt may take where the upstream itself would allow `longest`.
    pub(super) fn attempt_timeout(&self, longest: Duration) -> Duration {
        let own = self.settings.attempt_timeout;
        own.map_or(longest, |own| own.min(longest))
    }

    fn repeats(&self, method: &Method) -> bool {
        match &self.settings.methods {
            None => method.is_idempotent(),
            Some(listed) => listed.contains(method),
        }
    }

    /// Asks the budget for one more attempt.
    fn spend(&self) -> Spending {
        let spending = self.budget.spend();
        if spending == Spending::Exhausted {
            self.exhausted.inc();
        }
        spending
    }

    /// The counter of the status that a call ended with before it was answered (gRPC over HTTP/2, "Trailers-Only").
    fn call(&self, headers: &HeaderMap) -> Option<&Arc<Counter>> {
        if self.calls.is_empty() {
            return None;
        }
        let status = GrpcStatus::from_wire(headers.get("grpc-status")?.as_bytes());
        let mut calls = self.calls.iter();
        Some(&calls.find(|(listed, _)| *listed == status)?.1)
    }

    fn reason(
        &self,
        repeatable: bool,
        result: &Result<Received, AttemptError>,
    ) -> Option<&Arc<Counter>> {
        match result {
            Ok(response) if repeatable => {
                let status = response.status().as_u16();
                let mut statuses = self.statuses.iter();
                let listed = statuses.find(|(listed, _)| *listed == status);
                let listed = listed.map(|(_, counter)| counter);
                listed.or_else(|| self.call(response.headers()))
            }
            Ok(_) => None,
            Err(error) => {
                let trouble = trouble(error)?;
                let may = error.nothing_sent() || repeatable;
                if !may || !self.settings.on.contains(&trouble) {
                    return None;
                }
                let known = self
                    .errors
                    .iter()
                    .find(|(label, _)| *label == error.label());
                known.or(self.errors.last()).map(|(_, counter)| counter)
            }
        }
    }
}

fn trouble(error: &AttemptError) -> Option<Trouble> {
    match error {
        error if !error.is_upstream_fault() => None,
        error if error.nothing_sent() => Some(Trouble::Connect),
        AttemptError::Timeout => Some(Trouble::Timeout),
        _ => Some(Trouble::Reset),
    }
}

/// The attempts of one request.
pub(super) struct Plan<'a> {
    retries: Option<&'a Retries>,
    deadline: Deadline,
    made: u32,
    repeatable: bool,
    /// The request for the next attempt; a copy of it stays here while there may be one more.
    next: Option<Box<Request<RequestBody>>>,
    /// Where it went already.
    tried: Vec<Rc<Endpoint>>,
}

/// What to do after an attempt.
pub(super) enum Next<'a> {
    /// This is the end of it.
    Done(Result<Received, AttemptError>),
    /// Wait, then send again; the counter is that of the reason.
    Again(Duration, &'a Counter),
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        retries: Option<&'a Retries>,
        deadline: Deadline,
        mut request: Box<Request<RequestBody>>,
    ) -> Self {
        let mut repeatable = false;
        if let Some(retries) = retries {
            retries.budget.request();
            repeatable = retries.repeats(request.method());
            // What may only be repeated if nothing was sent need not be kept.
            let cap = if repeatable {
                retries.settings.max_body
            } else {
                0
            };
            let body = std::mem::replace(request.body_mut(), RequestBody::Empty);
            *request.body_mut() = body.keeping(cap);
        }
        Self {
            retries,
            deadline,
            made: 0,
            repeatable,
            next: Some(request),
            tried: Vec::new(),
        }
    }

    /// The request to send now. None once the plan is at its end, which its caller has been told.
    pub(super) fn request(&mut self) -> Option<Box<Request<RequestBody>>> {
        self.made += 1;
        let request = self.next.take()?;
        let most = self.retries.map_or(1, |retries| retries.settings.attempts);
        if self.made < most {
            self.next = copy(&request);
        }
        Some(request)
    }

    /// Whether the attempt under way is one more than the first.
    pub(super) const fn is_repeated(&self) -> bool {
        self.made > 1
    }

    /// Asks the route's budget for one attempt more; a route without one makes none.
    pub(super) fn spend(&self) -> Spending {
        self.retries.map_or(Spending::Exhausted, Retries::spend)
    }

    /// The endpoints it went to so far.
    pub(super) fn tried(&self) -> &[Rc<Endpoint>] {
        &self.tried
    }

    /// Takes note of where an attempt goes; only if there may be another.
    pub(super) fn goes_to(&mut self, endpoint: &Rc<Endpoint>) {
        if self.next.is_some() {
            self.tried.push(Rc::clone(endpoint));
        }
    }

    /// What follows from a result.
    pub(super) fn next(&self, result: Result<Received, AttemptError>) -> Next<'a> {
        match self.another(&result) {
            Some((wait, reason)) => Next::Again(wait, reason),
            None => Next::Done(result),
        }
    }

    fn another(&self, result: &Result<Received, AttemptError>) -> Option<(Duration, &'a Counter)> {
        let (retries, next) = (self.retries?, self.next.as_ref()?);
        let reason = retries.reason(self.repeatable, result)?;
        if !next.body().is_replayable() {
            return None;
        }
        let wait = self.wait(retries, result)?;
        let may = self.deadline.allows(wait) && retries.spend() == Spending::Granted;
        may.then_some((wait, reason))
    }

    /// The wait, or none if the upstream asks for a longer one than the route allows.
    fn wait(&self, retries: &Retries, result: &Result<Received, AttemptError>) -> Option<Duration> {
        let RetrySettings {
            backoff,
            retry_after,
            ..
        } = &retries.settings;
        let wait = backoff.wait(self.made, fastrand::f64());
        let asked = match result {
            Ok(response) if *retry_after => after::asked(response.headers()),
            _ => None,
        };
        match asked {
            Some(asked) if asked > backoff.longest => None,
            Some(asked) => Some(wait.max(asked)),
            None => Some(wait),
        }
    }
}

/// The same request once more; none if its body cannot be repeated.
pub(super) fn copy(request: &Request<RequestBody>) -> Option<Box<Request<RequestBody>>> {
    let mut copy = Box::new(Request::new(request.body().again()?));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

#[cfg(test)]
mod tests;
