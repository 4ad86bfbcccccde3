//! The two messages as they go on: the request as the upstream gets it, its answer as the client gets it.
//!
//! Guarantees: headers are moved, not copied. Must not: decide whether there is an exchange.

use http::header::{CONNECTION, HOST, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body as _;

use super::cache::{Inbound, Way};
use super::circuit::LateFailure;
use super::cors::PREFLIGHT;
use super::headers::Origin;
use super::record::{Record, TRACESTATE};
use super::refusal::Refusal;
use super::upgrade::Tunnel;
use super::{Body, Interim, Peer, Proxy, attempts, forward, headers, http2, sanity, upgrade};
use crate::upstream::{Received, RequestBody, UploadBounds};

/// An upstream's answer that no client waits for.
pub(super) fn plain(
    mut received: Received,
    late: Option<LateFailure>,
) -> Result<Response<Body>, Refusal> {
    sanity::response(received.status(), received.headers_mut(), false)?;
    headers::strip_hop_by_hop(received.headers_mut());
    Ok(received.map(|body| Body::upstream(body, late, None)))
}

impl Proxy {
    /// The upstream's answer.
    pub(super) async fn forward(
        &self,
        record: &mut Record,
        way: Way<'_>,
        inbound: &mut Inbound,
    ) -> Result<Response<Body>, Refusal> {
        let Way {
            peer,
            route,
            upstream,
        } = way;
        let protocol = upgrade::wanted(&inbound.head).filter(|_| !inbound.has_body());
        let switches = protocol.is_some();
        let must_switch = http2::is_switch(&inbound.head);
        let version = inbound.head.version;
        let request = self.outgoing(record, peer, inbound, protocol);
        if upstream.upstream().passes_interim() && version == Version::HTTP_11 {
            record.context.listener = Some(Interim::listen(&peer.interim));
        }
        record.context.upstream = Some(upstream.name().clone());
        let copy = route.mirror.as_ref();
        let copy = copy.and_then(|mirror| mirror.copy(&self.upstreams, &request));
        let copy = copy.map(Box::new);
        let attempts = attempts::attempts(
            &mut record.context,
            &mut record.places,
            route,
            upstream,
            request,
        );
        let received = attempts.await;
        if let Some(copy) = copy {
            copy.send();
        }
        let (received, late) = received?;
        let response = self.incoming(record, peer, received, late, switches)?;
        // To a CONNECT any success means that there is a tunnel (RFC 9110, section 9.3.6).
        if must_switch && response.status().is_success() {
            return Err(Refusal::AmbiguousResponse);
        }
        Ok(response)
    }

    /// The request as the upstream gets it; its host is the attempt's. Takes the headers and the body out of `inbound`.
    ///
    /// Boxed: it goes through half a dozen futures on its way out, and each would hold it twice.
    pub(super) fn outgoing(
        &self,
        record: &Record,
        peer: &Peer,
        inbound: &mut Inbound,
        protocol: Option<HeaderValue>,
    ) -> Box<Request<RequestBody>> {
        let Inbound { head, path, body } = inbound;
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
        let most = record
            .route()
            .map_or(u64::MAX, |route| route.max_body_bytes());
        let bounds = UploadBounds {
            size: self.uploads.size.min(most),
            ..self.uploads
        };
        let body = RequestBody::new(body.take(), bounds);
        let chunked = !body.is_end_stream() && body.size_hint().exact().is_none();
        let mut request = Box::new(Request::new(body));
        *request.uri_mut() = forward::target(&head.uri, path.take());
        *request.method_mut() = head.method.clone();
        *request.headers_mut() = std::mem::take(&mut head.headers);
        let headers = request.headers_mut();
        if is_absolute && let Some(host) = &origin.host {
            headers.insert(HOST, host.clone());
        }
        headers::prepare_request(headers, origin, &record.context.request_id, &self.hop);
        if let Some(identity) = &record.context.identity {
            identity.announce(headers);
        }
        if !record.context.trace.continues() {
            headers::drop_rare(headers, &TRACESTATE);
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
            peer.tunnel
                .replace(Tunnel::take(&mut received, self.tunnel_idle));
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
