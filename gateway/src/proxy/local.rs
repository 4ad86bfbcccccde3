//! Where a route leads when it is not simply to one upstream: health, metrics, redirects and fixed answers, which need none, and
//! splits.
//!
//! Must not: ask an upstream.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts as Head;
use http::{HeaderValue, Response, StatusCode};

use super::circuit::Guarded;
use super::cors::{Cors, PREFLIGHT};
use super::record::Record;
use super::route::{Local, Route, Target};
use super::settings::HealthSettings;
use super::split::Split;
use super::{Body, Peer, Proxy, headers};

/// What the gateway says of its own health.
#[derive(Debug)]
pub(super) struct Own {
    content_type: HeaderValue,
    healthy: Bytes,
    fail_when_open: bool,
}

impl Own {
    pub(super) fn new(settings: &HealthSettings) -> Self {
        Self {
            content_type: settings.content_type.clone(),
            healthy: settings.body.clone().into(),
            fail_when_open: settings.fail_when_open,
        }
    }
}

impl Proxy {
    /// The answer to a request that came unencrypted, if its route wants none of those.
    pub(super) fn unencrypted(
        &self,
        route: &Route,
        record: &Record,
        peer: &Peer,
        head: &Head,
    ) -> Option<Response<Body>> {
        let redirect = route.https.as_ref()?;
        if self.is_encrypted(peer, head) {
            return None;
        }
        let response = redirect.answer(&record.asked(peer.scheme(), head));
        Some(identified(response, record))
    }

    /// Whether the client's way here is encrypted, by what we see or a trusted proxy says.
    pub(super) fn is_encrypted(&self, peer: &Peer, head: &Head) -> bool {
        let said = || head.headers.get(headers::X_FORWARDED_PROTO);
        peer.scheme() == "https"
            || (self.identify.trusts(peer.address)
                && said().is_some_and(|said| said.as_bytes().eq_ignore_ascii_case(b"https")))
    }

    /// The answer to a preflight. It costs no limit anything: it carries no credentials, and browsers remember it.
    pub(super) fn preflight(
        &self,
        cors: &Cors,
        record: &mut Record,
        head: &Head,
    ) -> Response<Body> {
        record.context.decision = PREFLIGHT;
        identified(cors.answer(&head.headers), record)
    }

    /// The upstream a split sends a request to.
    pub(super) fn split(
        &self,
        split: &Split,
        record: &mut Record,
        peer: &Peer,
        head: &Head,
    ) -> &Rc<Guarded> {
        let secure = self.is_encrypted(peer, head);
        let chosen = split.choose(record.context.address, &head.headers, secure);
        record.context.cookie = chosen.cookie;
        &self.upstreams[chosen.upstream]
    }

    /// The answer of a route that leads to no upstream.
    pub(super) fn local(
        &self,
        target: &Target,
        record: &Record,
        peer: &Peer,
        head: &Head,
    ) -> Response<Body> {
        let response = match target {
            Target::Redirect(redirect) => redirect.answer(&record.asked(peer.scheme(), head)),
            Target::Respond(answer) => {
                let blank = Response::new(Body::local(""));
                answer.dress(&record.facts(0), blank)
            }
            Target::Local(Local::Health) => self.health(),
            // Answered apart, or led upstream already.
            Target::Local(Local::Metrics) | Target::Forward { .. } | Target::Split(_) => {
                Response::new(Body::local(""))
            }
        };
        identified(response, record)
    }

    /// The metrics. This thread does not make them: its other requests would wait.
    pub(super) async fn exposition(&self, record: &Record) -> Response<Body> {
        let mut response = Response::new(Body::local(self.metrics.render_aside().await));
        let kind = HeaderValue::from_static(prometheus::TEXT_FORMAT);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        identified(response, record)
    }

    fn health(&self) -> Response<Body> {
        let shut = self.own.fail_when_open && self.upstreams.iter().any(|one| one.is_shut());
        let (status, kind, body) = if shut {
            let kind = HeaderValue::from_static("application/json");
            let body = Bytes::from_static(br#"{"status":"unhealthy"}"#);
            (StatusCode::SERVICE_UNAVAILABLE, kind, body)
        } else {
            let kind = self.own.content_type.clone();
            (StatusCode::OK, kind, self.own.healthy.clone())
        };
        let mut response = Response::new(Body::local(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

fn identified(mut response: Response<Body>, record: &Record) -> Response<Body> {
    let id = record.context.request_id.clone();
    response.headers_mut().insert(headers::X_REQUEST_ID, id);
    response
}

/// What the gateway says of itself: it takes what its routes take.
pub(super) fn options() -> Response<Body> {
    let mut response = Response::new(Body::local(Bytes::new()));
    response.headers_mut().insert(
        ALLOW,
        HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    );
    response
}
