//! Floor 2: the request's way. This is the page to read first; each step has a file of its own.
//!
//! 1. [`route`]: which route is it?
//! 2. [`identify`]: who is asking?
//! 3. [`authorize`]: are they let in? (401, 403)
//! 4. [`limit`]: may they ask now? (429)
//! 5. [`cache`]: is there an answer already? (504 to who wants no other)
//! 6. [`circuit`]: may the upstream be asked? (503)
//! 7. [`overload`]: is there room? (503, before the limits for the process, here for the upstream)
//! 8. [`attempts`], with [`retry`] and [`hedge`] around [`forward`]: attempts, within the route's [`budget`] and [`deadline`]. (502, 504) [`exchange`]
//!    makes the two messages.
//! 9. [`record`]: what is kept of it, at the last byte or when the client left.
//!
//! Guarantees: [`Proxy::handle`] never fails and always records; what a request holds is a guard, so a client that leaves frees
//! it. Must not: know Redis, read files or the environment, or share a request with another thread.

pub mod settings;
mod route;
mod identify;
mod authorize;
mod key;
mod limit;
mod cache;
mod circuit;
mod retry;
mod hedge;
mod budget;
mod deadline;
mod shared;
mod overload;
mod forward;
mod headers;
mod body;
mod record;
mod refusal;
mod answer;
mod build;
mod sanity;
mod path;
mod template;
mod edits;
mod redirect;
mod split;
mod cors;
mod compress;
mod mirror;
mod local;
mod upgrade;
mod attempts;
mod affinity;
mod exchange;
mod spans;
mod grpc;
mod interim;
mod http2;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod measuring;

pub use authorize::{KeySet, KeySetError, KeySource, Remote};
pub use body::Body;
pub use build::Parts;
pub use interim::Interim;
pub use route::RouteError;
pub use sanity::Fault;
pub use shared::Shared;
pub use upgrade::Tunnel;

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::request::Parts as Head;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use tokio::time::Instant;

use answer::Answers;
use authorize::Reserved;
use cache::{Inbound, Way};
use circuit::Guarded;
use headers::Hop;
use identify::Identify;
use local::Own;
use record::{Context, Record, Recorder};
use refusal::Refusal;
use route::{Found, Local, RouteTable, Taken, Target};
use sanity::Asked;
use settings::Strictness;

use crate::limiter::Limiter;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::upstream::UploadBounds;

/// The peer of a connection: what every request on it has in common.
#[derive(Debug)]
pub struct Peer {
    address: IpAddr,
    text: HeaderValue,
    is_secure: bool,
    certificate: Option<HeaderValue>,
    tunnel: RefCell<Option<Tunnel>>,
    interim: Arc<Interim>,
}

impl Peer {
    /// The peer at `address`.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let text = HeaderValue::try_from(address.to_string());
        Self {
            address,
            text: text.unwrap_or_else(|_| HeaderValue::from_static("unknown")),
            is_secure: false,
            certificate: None,
            tunnel: RefCell::new(None),
            interim: Arc::default(),
        }
    }

    /// The same peer over TLS; `certificate` is the one it showed, as `Client-Cert` wants it (RFC 9440, section 2.1).
    #[must_use]
    pub fn over_tls(mut self, certificate: Option<HeaderValue>) -> Self {
        self.is_secure = true;
        self.certificate = certificate;
        self
    }

    /// How its requests came.
    const fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }

    /// What comes before the answer to the request that is out.
    #[must_use]
    pub const fn interim(&self) -> &Arc<Interim> {
        &self.interim
    }

    /// The tunnel that the last answer, a 101, leads to.
    #[must_use]
    pub fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.take()
    }
}

/// One thread's proxy.
#[derive(Debug)]
pub struct Proxy {
    routes: RouteTable,
    answers: Answers,
    own: Own,
    identify: Identify,
    reserved: Reserved,
    limiter: Limiter,
    upstreams: Vec<Rc<Guarded>>,
    recorder: Rc<Recorder>,
    hop: Hop,
    strictness: Strictness,
    uploads: UploadBounds,
    tunnel_idle: Duration,
    metrics: Arc<Metrics>,
    store: Store,
    shared: Arc<Shared>,
}

impl Proxy {
    /// The shell: answers every request, whatever happens, and records it.
    pub async fn handle(&self, peer: &Peer, request: Request<Incoming>) -> Response<Body> {
        let mut inbound = Inbound::new(request);
        let mut record = Box::new(self.begin(peer, &inbound.head));
        let is_h1 = inbound.head.version < Version::HTTP_2;
        let has_body = inbound.has_body();
        let outcome = self.steps(&mut record, peer, &mut inbound).await;
        let mut response = match outcome {
            Ok(response) => response,
            // A body that nobody will read is not worth the connection it blocks.
            Err(refusal) => self.refuse(&mut record, &refusal, is_h1, has_body),
        };
        self.finish(&record, response.headers_mut());
        record.answered(response.status().as_u16());
        if let Some(tunnel) = peer.take_tunnel() {
            peer.tunnel.replace(Some(tunnel.recorded(record)));
            return response;
        }
        response.map(|body| body.recorded(record))
    }

    /// Answers and records a request that was refused before it was parsed; `stand_in` stands for it.
    pub fn handle_fault(
        &self,
        peer: &Peer,
        stand_in: Request<Incoming>,
        fault: Fault,
    ) -> Response<Body> {
        let (head, _) = stand_in.into_parts();
        let mut record = self.begin(peer, &head);
        let is_h1 = head.version < Version::HTTP_2;
        let response = self.refuse(&mut record, &Refusal::Faulty(fault), is_h1, true);
        record.answered(response.status().as_u16());
        response.map(|body| body.recorded(Box::new(record)))
    }

    /// The straight line.
    async fn steps(
        &self,
        record: &mut Record,
        peer: &Peer,
        inbound: &mut Inbound,
    ) -> Result<Response<Body>, Refusal> {
        let length = inbound.length();
        let head = &mut inbound.head;
        if sanity::request(head, length, &self.strictness)? == Asked::Gateway {
            return Ok(local::options());
        }
        let Taken {
            route,
            path,
            parameters,
            preflight,
        } = match self.routes.find(head) {
            Found::Route(taken) => taken,
            Found::MethodNotAllowed(allow) => return Err(Refusal::MethodNotAllowed(allow)),
            Found::None => return Err(Refusal::NoRoute),
        };
        record.follow(&route);
        record.context.parameters = parameters;
        if let Some(cors) = &route.cors {
            record.context.origin = cors.origin(&head.headers);
            if preflight {
                return Ok(self.preflight(cors, record, head));
            }
        }
        if let Some(elsewhere) = self.unencrypted(&route, record, peer, head) {
            return Ok(elsewhere);
        }
        self.reserved.strip(&mut head.headers);
        if let Some(guard) = &route.guard
            && let Some(answer) = guard.admit(&mut record.context, head).await?
        {
            record.context.decision = "forbidden";
            return Ok(answer);
        }
        sanity::fits(length, route.max_body_bytes())?;
        if let Target::Forward { upstream } = &route.target {
            record.places.whole = self.upstreams[*upstream].admission().arrive()?;
        }
        route
            .limits
            .take(&self.limiter, &mut record.context, &head.headers)
            .await?;
        inbound.path = match &route.guard {
            Some(guard) => guard.take_credentials(head, path),
            None => path,
        };
        let upstream = match &route.target {
            Target::Forward { upstream } => &self.upstreams[*upstream],
            Target::Split(split) => self.split(split, record, peer, head),
            Target::Local(Local::Metrics) => return Ok(self.exposition(record).await),
            target => return Ok(self.local(target, record, peer, head)),
        };
        if record.places.whole.is_none() {
            record.places.whole = upstream.admission().arrive()?;
        }
        let encoding = route.compression.as_ref();
        let encoding = encoding.map(|compression| (compression, compression.wanted(head)));
        let way = Way {
            peer,
            route: &route,
            upstream,
        };
        let response = match &route.cache {
            None => self.forward(record, way, inbound).await?,
            // Boxed: its state is large, and most routes keep nothing.
            Some(cache) => Box::pin(self.cached(record, way, cache, inbound)).await?,
        };
        Ok(match encoding {
            // What is kept is the upstream's own: each client gets it as it takes it.
            Some((compression, wanted)) => compression.apply(wanted, response),
            None => response,
        })
    }

    /// The gateway's answer in place of the upstream's, or the route's own in place of the gateway's.
    fn refuse(
        &self,
        record: &mut Record,
        refusal: &Refusal,
        is_h1: bool,
        has_body: bool,
    ) -> Response<Body> {
        record.context.decision = refusal.label();
        let request_id = &record.context.request_id;
        let mut response = refusal.response(request_id, &self.hop);
        if let Some(call) = &record.context.grpc {
            response = call.dress(response, refusal.detail(), refusal.retry_after());
        } else {
            let own = record.route().and_then(|route| route.answers.to(refusal));
            if let Some(own) = own.or_else(|| self.answers.to(refusal)) {
                let facts = record.facts(refusal.retry_after().unwrap_or_default());
                response = own.dress(&facts, response);
            }
        }
        let headers = response.headers_mut();
        headers.insert(headers::X_REQUEST_ID, request_id.clone());
        if is_h1 && (has_body || refusal.closes()) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    #[inline]
    fn begin(&self, peer: &Peer, head: &Head) -> Record {
        let address = self.identify.address(peer.address, &head.headers);
        let trace = self.recorder.trace(&head.headers);
        let started = Instant::now();
        Record::begin(
            &self.recorder,
            Context {
                started,
                grpc: grpc::Call::of(head, started),
                request_id: headers::request_id(&head.headers, &trace),
                trace,
                logged: self.recorder.logged(&head.headers),
                address,
                client: self.identify.client(address),
                identity: None,
                protocol: protocol(head.version),
                method: head.method.clone(),
                uri: head.uri.clone(),
                scheme: "http",
                listener: None,
                upstream: None,
                upstream_time: None,
                attempts: 0,
                decision: "local",
                limit: None,
                slots: Vec::new(),
                parameters: None,
                cookie: None,
                origin: None,
            },
        )
    }

    /// What need not be done for each request; called a few times a second.
    pub fn tick(&self) {
        self.recorder.flush();
        self.limiter.tick();
        self.shared.tick();
        for upstream in &self.upstreams {
            upstream.upstream().sweep();
        }
    }

    /// The last thing a draining worker does: gives back what is held ahead.
    pub async fn close(&self) {
        self.limiter.give_back_all().await;
        self.recorder.flush();
    }
}

/// A version as access lines call it.
const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
