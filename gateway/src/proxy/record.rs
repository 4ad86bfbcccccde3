//! What is kept of each request: counters, the duration, the access line. The only place that writes them.
//!
//! Guarantees: every request is recorded exactly once, also one whose client left, because the record is a guard. Must not:
//! look anything up by name on the request path.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts as Head;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::time::Instant;

use super::authorize::Identity;
use super::deadline::Deadline;
use super::grpc::Call;
use super::limit::Told;
use super::route::{Parameters, Route, asked_host, host_name};
use super::spans;
use super::template::{Asked, Facts};
use crate::limiter::Slot;
use crate::policy::ids::{ClientId, Room, RouteName, UpstreamName};
use crate::telemetry::access::{AccessLog, Entry};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::{Trace, Tracer};
use crate::telemetry::{Counter, Family, Gauge, Histogram};
use crate::upstream::{Listener, Place};

pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The status logged for a client that left before there was one, as nginx introduced it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A route's series, held so that a request looks nothing up.
#[derive(Debug)]
pub(super) struct RouteMetrics {
    name: String,
    in_flight: Arc<Gauge>,
    duration: Arc<Histogram>,
    requests: Family<Counter>,
    /// The counters this thread has used so far: a handful for each route.
    known: RefCell<Vec<(&'static str, u16, Arc<Counter>)>>,
}

impl RouteMetrics {
    pub(super) fn new(metrics: &Metrics, route: &RouteName) -> Self {
        Self {
            name: route.to_string(),
            in_flight: metrics.http.in_flight.with(&[route.as_str()]),
            duration: metrics.http.duration.with(&[route.as_str()]),
            requests: metrics.http.requests.clone(),
            known: RefCell::default(),
        }
    }

    fn count(&self, method: &Method, status: u16) {
        let method = method_label(method);
        let mut known = self.known.borrow_mut();
        let seen = known
            .iter()
            .find(|(name, code, _)| *code == status && *name == method);
        if let Some((_, _, counter)) = seen {
            counter.inc();
            return;
        }
        let counter = self
            .requests
            .with(&[&self.name, method, &status.to_string()]);
        counter.inc();
        known.push((method, status, counter));
    }
}

/// The label of methods that clients make up.
pub(super) const OTHER: &str = "_OTHER";

/// A method as a label; whatever a client makes up is one label.
pub(super) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER,
    }
}

/// Where records go.
#[derive(Debug)]
pub(super) struct Recorder {
    access: Option<AccessLog>,
    tracer: Tracer,
    unrouted: RouteMetrics,
}

impl Recorder {
    pub(super) fn new(metrics: &Metrics, access: Option<AccessLog>, tracer: Tracer) -> Rc<Self> {
        Rc::new(Self {
            access,
            tracer,
            unrouted: RouteMetrics::new(metrics, &"none".into()),
        })
    }

    /// The trace that a request with these headers belongs to.
    pub(super) fn trace(&self, headers: &HeaderMap) -> Trace {
        let mut contexts = headers.get_all(TRACEPARENT).iter();
        // Two of them say two things, so that neither is believed (W3C Trace Context, section 3.2).
        let only = contexts.next().filter(|_| contexts.next().is_none());
        self.tracer.begin(only.map(HeaderValue::as_bytes))
    }

    /// The header values that the access line will hold.
    pub(super) fn logged(&self, headers: &HeaderMap) -> Vec<Option<HeaderValue>> {
        let wanted = self.access.as_ref().map_or(&[][..], AccessLog::headers);
        wanted
            .iter()
            .map(|name| headers.get(name).cloned())
            .collect()
    }

    pub(super) const fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Hands buffered lines over.
    pub(super) fn flush(&self) {
        if let Some(access) = &self.access {
            access.flush();
        }
    }
}

/// What is known of a request, filled in as it goes. Plain data.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) started: Instant,
    pub(super) request_id: HeaderValue,
    /// The address the request is from.
    pub(super) address: IpAddr,
    pub(super) client: ClientId,
    /// Who is asking, where a route wants to know.
    pub(super) identity: Option<Rc<Identity>>,
    pub(super) trace: Trace,
    /// Headers for the access line.
    pub(super) logged: Vec<Option<HeaderValue>>,
    pub(super) protocol: &'static str,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) scheme: &'static str,
    /// What is known of it as a call of gRPC, if it is one.
    pub(super) grpc: Option<Call>,
    /// Where interim answers to it go, if its client takes them.
    pub(super) listener: Option<Listener>,
    pub(super) upstream: Option<UpstreamName>,
    pub(super) upstream_time: Option<Duration>,
    pub(super) attempts: u32,
    pub(super) decision: &'static str,
    /// What the route's limits said.
    pub(super) limit: Option<Told>,
    /// What limits on requests in flight hold for it; let go with the record.
    pub(super) slots: Vec<Slot>,
    /// The values of the path's parameters, where the route speaks of them.
    pub(super) parameters: Option<Parameters>,
    /// What the client is to show next time, to be sent where it was sent now.
    pub(super) cookie: Option<HeaderValue>,
    /// The other origin the request is from, where the route lets that one in.
    pub(super) origin: Option<HeaderValue>,
}

impl Context {
    /// What is done for this request behind its back: it holds nothing of the request's, and is not recorded.
    pub(super) fn behind(&self) -> Self {
        Self {
            started: Instant::now(),
            request_id: self.request_id.clone(),
            address: self.address,
            client: self.client.clone(),
            identity: self.identity.clone(),
            trace: self.trace.clone(),
            logged: Vec::new(),
            protocol: self.protocol,
            method: self.method.clone(),
            uri: self.uri.clone(),
            scheme: self.scheme,
            grpc: None,
            listener: None,
            upstream: self.upstream.clone(),
            upstream_time: None,
            attempts: 0,
            decision: self.decision,
            limit: None,
            slots: Vec::new(),
            parameters: None,
            cookie: None,
            origin: None,
        }
    }
}

/// What attempts beside each other write into; never borrowed across an await.
pub(super) type Sharing<'a> = RefCell<&'a mut Context>;

/// The record of one request; written when it is dropped.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) context: Context,
    recorder: Rc<Recorder>,
    route: Option<Rc<Route>>,
    status: Option<u16>,
    bytes: u64,
    ended: bool,
    /// Free again when the answer is whole or the client has left.
    pub(super) places: Places,
}

/// What a request takes of what there is only so much of.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Its place in the process.
    pub(super) whole: Option<Place>,
    /// Its place at the upstream.
    pub(super) upstream: Option<Place>,
}

impl Record {
    /// Opens the record of a request.
    #[inline]
    pub(super) fn begin(recorder: &Rc<Recorder>, context: Context) -> Self {
        let recorder = Rc::clone(recorder);
        Self {
            context,
            recorder,
            route: None,
            status: None,
            bytes: 0,
            ended: false,
            places: Places::default(),
        }
    }

    /// The route is known; from now on the request counts as in flight on it.
    pub(super) fn follow(&mut self, route: &Rc<Route>) {
        route.metrics.in_flight.add(1);
        self.route = Some(Rc::clone(route));
    }

    /// When the whole of the answer must have gone, if the route says so.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let total = self.route.as_ref()?.settings.timeout;
        Deadline::new(self.context.started, total).at()
    }

    /// The route, once known.
    pub(super) const fn route(&self) -> Option<&Rc<Route>> {
        self.route.as_ref()
    }

    /// What templates may speak of.
    pub(super) fn facts(&self, retry_after: u64) -> Facts<'_> {
        let context = &self.context;
        Facts {
            request_id: context.request_id.to_str().unwrap_or_default(),
            retry_after,
            route: self
                .route()
                .map_or("", |route| route.settings.name.as_str()),
            client: context.address,
            parameters: context.parameters.as_deref().unwrap_or_default(),
            asked: Asked::default(),
        }
    }

    /// What redirects may speak of.
    pub(super) fn asked<'a>(&'a self, scheme: &'a str, head: &'a Head) -> Facts<'a> {
        let asked = Asked {
            scheme,
            host: host_name(asked_host(head)),
            uri: head.uri.path_and_query().map_or("/", |uri| uri.as_str()),
        };
        Facts {
            asked,
            ..self.facts(0)
        }
    }

    /// The answer's head is known.
    pub(super) const fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// So many bytes of the body went out.
    pub(super) const fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The body is whole.
    pub(super) fn complete(&mut self) {
        self.ended = true;
        self.places = Places::default();
    }

    /// The upstream broke off in the middle of the body.
    pub(super) const fn broke(&mut self) {
        self.ended = true;
        self.context.decision = "response_cut";
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let elapsed = self.context.started.elapsed();
        let metrics = self
            .route
            .as_ref()
            .map_or(&self.recorder.unrouted, |route| &route.metrics);
        let status = self.status.unwrap_or(CLIENT_CLOSED_REQUEST);
        metrics.count(&self.context.method, status);
        metrics.duration.observe(elapsed);
        if self.route.is_some() {
            metrics.in_flight.add(-1);
        }
        let decision = if self.ended {
            self.context.decision
        } else {
            "client_gone"
        };
        if self.context.trace.is_recording() {
            let told = spans::request(&self.context, self.route.as_deref(), status, decision);
            self.recorder.tracer.finish(&mut self.context.trace, told);
        }
        let Some(access) = &self.recorder.access else {
            return;
        };
        let context = &self.context;
        access.record(&Entry {
            request_id: context.request_id.as_bytes(),
            client: context.client.text(&mut Room::default()),
            protocol: context.protocol,
            method: context.method.as_str(),
            route: self.route.as_ref().map_or("-", |_| &metrics.name),
            trace_id: context.trace.id(),
            span_id: context.trace.span_id(),
            path: context.uri.path(),
            query: context.uri.query(),
            headers: &context.logged,
            status,
            duration: elapsed,
            bytes: self.bytes,
            upstream: context.upstream.as_ref().map(UpstreamName::as_str),
            upstream_duration: context.upstream_time,
            attempts: context.attempts,
            decision,
        });
    }
}
