//! The two messages as they go on: the request as the upstream gets it, its answer as the client gets it.
//!
//! Guarantees: headers are moved, not copied. Must not: decide anything about the request.

use http::header::{CONNECTION, HOST, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts as Head;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use super::circuit::LateFailure;
use super::cors::PREFLIGHT;
use super::headers::Origin;
use super::record::{Record, TRACESTATE};
use super::refusal::Refusal;
use super::upgrade::Tunnel;
use super::{Body, Peer, Proxy, forward, headers, sanity, upgrade};
use crate::upstream::{Received, RequestBody, UploadBounds};

impl Proxy {
    /// The request as the upstream gets it; its host is the attempt's.
    pub(super) fn outgoing(
        &self,
        record: &Record,
        peer: &Peer,
        head: Head,
        path: Option<http::uri::PathAndQuery>,
        body: Incoming,
        protocol: Option<HeaderValue>,
    ) -> Request<RequestBody> {
        // RFC 9112, section 3.2.2: the authority of an absolute target replaces Host.
        let authority = head
            .uri
            .authority()
            .map(|one| HeaderValue::try_from(one.as_str()).ok());
        let is_absolute = authority.is_some();
        let host = authority.unwrap_or_else(|| head.headers.get(HOST).cloned());
        let origin = Origin {
            peer: &peer.text,
            trusted: self.identify.trusts(peer.address),
            scheme: peer.scheme(),
            certificate: peer.certificate.as_ref(),
            host,
            version: head.version,
        };
        let trailers = headers::takes_trailers(&head.headers);
        // A length is kept as it was declared; any other body is chunked, whatever the method.
        let chunked = !body.is_end_stream() && body.size_hint().exact().is_none();
        let most = record
            .route()
            .map_or(u64::MAX, |route| route.max_body_bytes());
        let bounds = UploadBounds {
            size: self.uploads.size.min(most),
            ..self.uploads
        };
        let mut request = Request::new(RequestBody::new(body, bounds));
        *request.uri_mut() = forward::target(&head.uri, path);
        *request.method_mut() = head.method;
        *request.headers_mut() = head.headers;
        let headers = request.headers_mut();
        if is_absolute && let Some(host) = &origin.host {
            headers.insert(HOST, host.clone());
        }
        headers::prepare_request(headers, origin, &record.context.request_id, &self.hop);
        if let Some(identity) = &record.context.identity {
            identity.announce(headers);
        }
        if !record.context.trace.continues() {
            headers.remove(TRACESTATE);
        }
        forward::set_trace(headers, record.context.trace.header().clone());
        if chunked {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if let Some(edits) = record
            .route()
            .and_then(|route| route.request_headers.as_ref())
        {
            edits.apply(headers, &record.facts(0));
        }
        if let Some(protocol) = protocol {
            upgrade::announce(headers, protocol);
        } else if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
        request
    }

    /// The upstream's answer as the client gets it.
    pub(super) fn incoming(
        &self,
        record: &mut Record,
        peer: &Peer,
        mut received: Received,
        late: Option<LateFailure>,
        switches: bool,
    ) -> Result<Response<Body>, Refusal> {
        let status = received.status();
        sanity::response(status, received.headers_mut(), switches)?;
        let switched = status == StatusCode::SWITCHING_PROTOCOLS;
        let protocol = received
            .headers()
            .get(UPGRADE)
            .filter(|_| switched)
            .cloned();
        if switched {
            let tunnel = Tunnel::take(&mut received, self.tunnel_idle);
            peer.tunnel.replace(Some(tunnel));
        }
        let end = record.deadline().filter(|_| !switched);
        let mut response = received.map(|body| Body::upstream(body, late, end));
        *response.version_mut() = Version::HTTP_11;
        headers::prepare_response(response.headers_mut(), &record.context.request_id);
        if let Some(protocol) = protocol {
            upgrade::announce(response.headers_mut(), protocol);
        }
        record.context.decision = "forwarded";
        Ok(response)
    }

    /// What every answer of a route carries, the upstream's and the gateway's own alike.
    pub(super) fn finish(&self, record: &Record, headers: &mut HeaderMap) {
        let Some(route) = record.route() else {
            return;
        };
        if let Some(edits) = &route.response_headers {
            edits.apply(headers, &record.facts(0));
        }
        if let Some(cors) = &route.cors {
            let is_preflight = record.context.decision == PREFLIGHT;
            cors.apply(record.context.origin.as_ref(), is_preflight, headers);
        }
        if let Some(cookie) = &record.context.cookie {
            headers.append(SET_COOKIE, cookie.clone());
        }
        route
            .limits
            .announce(record.context.limit.as_ref(), headers);
    }
}
