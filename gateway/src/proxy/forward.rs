//! One attempt, seen from the proxy: address the request to an endpoint, send, measure. Must not: retry, or judge.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri};
use tokio::time::Instant;

use super::affinity;
use super::circuit::Guarded;
use super::record::{Context, Sharing, TRACEPARENT};
use super::refusal::Refusal;
use super::sanity::Fault;
use super::spans;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{Counter, Histogram};
use crate::upstream::{
    AttemptError, Endpoint, Patience, PickHint, Received, RequestBody, UploadFault, Upstream,
};

/// An upstream's series, held so that an attempt looks nothing up.
#[derive(Debug)]
pub(super) struct UpstreamMetrics {
    duration: Arc<Histogram>,
    ok: Arc<Counter>,
    failed: Arc<Counter>,
    errors: [(&'static str, Arc<Counter>); 8],
    pub(super) rejections: Arc<Counter>,
}

impl UpstreamMetrics {
    pub(super) fn new(metrics: &Metrics, name: &str) -> Self {
        let outcome = |label: &str| metrics.upstreams.requests.with(&[name, label]);
        let labels = [
            "connect_error",
            "connect_timeout",
            "tls_error",
            "refused",
            "timeout",
            "deadline",
            "broken",
            "client_gone",
        ];
        Self {
            duration: metrics.upstreams.duration.with(&[name]),
            ok: outcome("success"),
            failed: outcome("failure_status"),
            errors: labels.map(|label| (label, outcome(label))),
            rejections: metrics.circuits.rejections.with(&[name]),
        }
    }

    fn count(&self, upstream: &Upstream, result: &Result<Received, AttemptError>) {
        match result {
            Ok(response) if upstream.is_failure(response) => self.failed.inc(),
            Ok(_) => self.ok.inc(),
            Err(error) => {
                let label = error.label();
                if let Some((_, counter)) = self.errors.iter().find(|(name, _)| *name == label) {
                    counter.inc();
                }
            }
        }
    }
}

/// The endpoint for an attempt: one that is not among `tried`, if there is one.
pub(super) fn pick(
    context: &Context,
    upstream: &Upstream,
    request: &Request<RequestBody>,
    tried: &[Rc<Endpoint>],
) -> Result<Rc<Endpoint>, Refusal> {
    let key = upstream.hash_key();
    let hash = key.and_then(|key| affinity::of(key, &context.client, request.headers()));
    upstream
        .pick(PickHint { hash, tried })
        .ok_or(Refusal::NoEndpoint)
}

/// What became of an attempt.
pub(super) struct Measured {
    pub(super) result: Result<Received, AttemptError>,
    pub(super) took: Duration,
}

/// Sends one attempt to `endpoint`.
pub(super) async fn send(
    context: &Sharing<'_>,
    guarded: &Guarded,
    endpoint: &Rc<Endpoint>,
    mut request: Box<Request<RequestBody>>,
    patience: Patience,
) -> Measured {
    let (upstream, metrics) = (guarded.upstream(), guarded.metrics());
    address(&mut request, endpoint);
    let started = Instant::now();
    let is_traced = context.borrow().trace.is_recording();
    let span = is_traced.then(|| {
        let (span, header) = context.borrow_mut().trace.call();
        set_trace(request.headers_mut(), header);
        (span, spans::url(endpoint, request.uri().path()))
    });
    let listener = context.borrow().listener.clone();
    let sending = upstream.send(endpoint, request, patience, started, listener.as_ref());
    let result = sending.await;
    let took = started.elapsed();
    if let Some((span, url)) = span {
        let told = spans::attempt(&context.borrow(), endpoint, url, started, &result);
        context.borrow_mut().trace.called(Some(span), told);
    }
    metrics.duration.observe(took);
    metrics.count(upstream, &result);
    Measured { result, took }
}

/// Tells the upstream which trace a request belongs to.
pub(super) fn set_trace(headers: &mut HeaderMap, header: Bytes) {
    if let Ok(value) = HeaderValue::from_maybe_shared(header) {
        headers.insert(TRACEPARENT, value);
    }
}

/// Addresses a request to `endpoint`.
pub(super) fn address(request: &mut Request<RequestBody>, endpoint: &Endpoint) {
    let headers = request.headers_mut();
    if !endpoint.keeps_host() || !headers.contains_key(HOST) {
        headers.insert(HOST, endpoint.host().clone());
    }
}

/// The target in origin form, as HTTP/1.1 wants it towards a server.
pub(super) fn target(uri: &Uri, rewritten: Option<PathAndQuery>) -> Uri {
    let path = rewritten.or_else(|| uri.path_and_query().cloned());
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::from(path)
}

/// Why an attempt's error is answered the way it is.
pub(super) fn refusal(error: &AttemptError) -> Refusal {
    match error {
        AttemptError::Connect(_) | AttemptError::ConnectTimeout => Refusal::ConnectFailed,
        AttemptError::Tls(_) => Refusal::TlsFailed,
        AttemptError::Certificate(_) => Refusal::BadCertificate,
        AttemptError::Timeout | AttemptError::Deadline => Refusal::UpstreamTimeout,
        AttemptError::Broken(_) | AttemptError::Refused => Refusal::BrokenResponse,
        AttemptError::Client(UploadFault::Broken) => {
            Refusal::BadRequest("The request body ended early.")
        }
        AttemptError::Client(UploadFault::TooLarge) => Refusal::Faulty(Fault::BodyTooLarge),
        AttemptError::Client(UploadFault::TooSlow) => Refusal::Faulty(Fault::SlowBody),
    }
}
