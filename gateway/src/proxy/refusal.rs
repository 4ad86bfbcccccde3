//! Every reason for which the gateway answers itself, and the only place that chooses a status for one.
//!
//! Guarantees: each is `application/problem+json` (RFC 9457) with `Proxy-Status` (RFC 9209), and says nothing of the upstream's
//! address. Must not: be built from an upstream's answer.

use std::fmt::Write as _;

use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::body::Body;
use super::sanity::Fault;
use super::settings::AnswerKind;
use crate::policy::ids::PolicyName;
use crate::policy::units::Micros;

pub(super) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Why the gateway answers itself.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No route has this path.
    NoRoute,
    /// A route has this path, none this method.
    MethodNotAllowed(HeaderValue),
    /// The request cannot be forwarded as it is.
    BadRequest(&'static str),
    /// The request never got as far as being one.
    Faulty(Fault),
    /// An `Expect` nobody here can meet.
    Expectation,
    /// A method that asks the gateway to be what it is not.
    NotImplemented(&'static str),
    /// A limit is spent.
    Limited {
        policies: Vec<PolicyName>,
        retry_after: Micros,
    },
    /// The upstream's circuit is open.
    CircuitOpen { retry_after: Micros },
    /// The upstream has no endpoint to send to.
    NoEndpoint,
    /// The client wants what is kept, and nothing is.
    OnlyIfCached,
    /// No connection to the upstream.
    ConnectFailed,
    /// No TLS with the upstream.
    TlsFailed,
    /// The upstream is not who it should be.
    BadCertificate,
    /// The upstream's answer broke HTTP, or never came whole.
    BrokenResponse,
    /// The upstream's answer can be read in more than one way.
    AmbiguousResponse,
    /// No response head in time.
    UpstreamTimeout,
    /// The process has as many requests on their way as it may.
    Overloaded,
    /// The upstream has as many requests in flight as it may, and enough wait already.
    UpstreamBusy,
}

struct Shape {
    status: StatusCode,
    /// The decision's label in logs.
    label: &'static str,
    /// `error` of Proxy-Status, from the registry of RFC 9209, section 2.3.
    error: &'static str,
    kind: &'static str,
    title: &'static str,
    detail: &'static str,
}

const fn shape(
    status: StatusCode,
    label: &'static str,
    error: &'static str,
    kind: &'static str,
    title: &'static str,
    detail: &'static str,
) -> Shape {
    Shape {
        status,
        label,
        error,
        kind,
        title,
        detail,
    }
}

const fn faulty(fault: Fault) -> Shape {
    let (status, label, title, detail) = match fault {
        Fault::Malformed(detail) => (
            StatusCode::BAD_REQUEST,
            "bad_request",
            "Bad Request",
            detail,
        ),
        Fault::UnknownCoding => (
            StatusCode::NOT_IMPLEMENTED,
            "not_implemented",
            "Not Implemented",
            "The only transfer coding understood is chunked.",
        ),
        Fault::UriTooLong => (
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            "URI Too Long",
            "The request target is longer than allowed.",
        ),
        Fault::HeadTooLarge => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head_too_large",
            "Request Header Fields Too Large",
            "The header fields are more or larger than allowed.",
        ),
        Fault::SlowHead => (
            StatusCode::REQUEST_TIMEOUT,
            "slow_head",
            "Request Timeout",
            "The request's head did not arrive in time.",
        ),
        Fault::BodyTooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "Content Too Large",
            "The request body is larger than allowed.",
        ),
        Fault::SlowBody => (
            StatusCode::REQUEST_TIMEOUT,
            "slow_body",
            "Request Timeout",
            "The request's body did not arrive in time.",
        ),
    };
    shape(status, label, "http_request_error", BLANK, title, detail)
}
/// Bytes for a refusal's body: the longest there usually is.
const ROOM: usize = 512;

const BLANK: &str = "about:blank";
/// Problem types of draft-ietf-httpapi-ratelimit-headers-11.
const QUOTA: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

impl Refusal {
    /// Whether the connection it came on cannot be trusted any further.
    pub(super) const fn closes(&self) -> bool {
        matches!(
            self,
            Self::BadRequest(_) | Self::Faulty(_) | Self::Expectation | Self::NotImplemented(_)
        )
    }

    /// By what answers of the configuration's own are told apart.
    pub(super) const fn kind(&self) -> Option<AnswerKind> {
        Some(match self {
            Self::NoRoute => AnswerKind::NotFound,
            Self::MethodNotAllowed(_) => AnswerKind::MethodNotAllowed,
            Self::Faulty(Fault::BodyTooLarge | Fault::HeadTooLarge | Fault::UriTooLong) => {
                AnswerKind::TooLarge
            }
            Self::BadRequest(_) | Self::Faulty(_) => AnswerKind::BadRequest,
            Self::Limited { .. } => AnswerKind::Limited,
            Self::CircuitOpen { .. } | Self::NoEndpoint => AnswerKind::CircuitOpen,
            Self::UpstreamTimeout => AnswerKind::Timeout,
            Self::Overloaded | Self::UpstreamBusy => AnswerKind::Overloaded,
            Self::ConnectFailed
            | Self::TlsFailed
            | Self::BadCertificate
            | Self::BrokenResponse
            | Self::AmbiguousResponse => AnswerKind::BadGateway,
            Self::Expectation | Self::NotImplemented(_) | Self::OnlyIfCached => return None,
        })
    }

    /// What the access log calls it.
    pub(super) const fn label(&self) -> &'static str {
        self.shape().label
    }

    /// What it says for people.
    pub(super) const fn detail(&self) -> &'static str {
        self.shape().detail
    }

    const fn shape(&self) -> Shape {
        match self {
            Self::NoRoute => shape(
                StatusCode::NOT_FOUND,
                "no_route",
                "destination_not_found",
                BLANK,
                "Not Found",
                "No route matches this path.",
            ),
            Self::MethodNotAllowed(_) => shape(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "http_request_denied",
                BLANK,
                "Method Not Allowed",
                "This path does not answer that method; see Allow.",
            ),
            Self::BadRequest(detail) => shape(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "http_request_error",
                BLANK,
                "Bad Request",
                detail,
            ),
            Self::Faulty(fault) => faulty(*fault),
            Self::Expectation => shape(
                StatusCode::EXPECTATION_FAILED,
                "expectation",
                "http_request_error",
                BLANK,
                "Expectation Failed",
                "The only expectation met here is 100-continue.",
            ),
            Self::NotImplemented(detail) => shape(
                StatusCode::NOT_IMPLEMENTED,
                "not_implemented",
                "http_request_error",
                BLANK,
                "Not Implemented",
                detail,
            ),
            Self::Limited { .. } => shape(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "http_request_denied",
                QUOTA,
                "Too Many Requests",
                "The request quota is spent; see Retry-After.",
            ),
            Self::CircuitOpen { .. } => shape(
                StatusCode::SERVICE_UNAVAILABLE,
                "circuit_open",
                "destination_unavailable",
                REDUCED,
                "Service Unavailable",
                "The service is failing and gets a rest; see Retry-After.",
            ),
            Self::NoEndpoint => shape(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_endpoint",
                "destination_unavailable",
                REDUCED,
                "Service Unavailable",
                "The service has no endpoint that takes requests.",
            ),
            Self::OnlyIfCached => shape(
                StatusCode::GATEWAY_TIMEOUT,
                "only_if_cached",
                "http_request_denied",
                BLANK,
                "Gateway Timeout",
                "Nothing is kept for this request, and it says only-if-cached.",
            ),
            Self::ConnectFailed => shape(
                StatusCode::BAD_GATEWAY,
                "connect_failed",
                "connection_refused",
                BLANK,
                "Bad Gateway",
                "No connection to the service could be made.",
            ),
            Self::TlsFailed => shape(
                StatusCode::BAD_GATEWAY,
                "tls_failed",
                "tls_protocol_error",
                BLANK,
                "Bad Gateway",
                "No secure connection to the service could be made.",
            ),
            Self::BadCertificate => shape(
                StatusCode::BAD_GATEWAY,
                "bad_certificate",
                "tls_certificate_error",
                BLANK,
                "Bad Gateway",
                "The service could not prove who it is.",
            ),
            Self::BrokenResponse => shape(
                StatusCode::BAD_GATEWAY,
                "broken_response",
                "http_response_incomplete",
                BLANK,
                "Bad Gateway",
                "The service broke off or did not answer with HTTP.",
            ),
            Self::AmbiguousResponse => shape(
                StatusCode::BAD_GATEWAY,
                "ambiguous_response",
                "http_protocol_error",
                BLANK,
                "Bad Gateway",
                "The service's answer broke HTTP.",
            ),
            Self::Overloaded => shape(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "http_request_denied",
                REDUCED,
                "Service Unavailable",
                "The gateway has as many requests as it takes at once; see Retry-After.",
            ),
            Self::UpstreamBusy => shape(
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream_busy",
                "connection_limit_reached",
                REDUCED,
                "Service Unavailable",
                "The service has as many requests as it takes at once; see Retry-After.",
            ),
            Self::UpstreamTimeout => shape(
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timeout",
                "http_response_timeout",
                BLANK,
                "Gateway Timeout",
                "The service did not answer in time.",
            ),
        }
    }

    /// When to come back, in whole seconds, at least 1: never earlier than the truth.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Limited { retry_after, .. } | Self::CircuitOpen { retry_after } => {
                Some(retry_after.ceil_secs().max(1))
            }
            Self::NoEndpoint | Self::Overloaded | Self::UpstreamBusy => Some(1),
            _ => None,
        }
    }

    /// The answer. `request_id` has been checked to need no escaping, names of limits are letters, digits and `-_.`; `hop` names
    /// this deployment.
    pub(super) fn response(&self, request_id: &HeaderValue, hop: &str) -> Response<Body> {
        let Shape {
            status,
            error,
            kind,
            title,
            detail,
            ..
        } = self.shape();
        let id = request_id.to_str().unwrap_or_default();
        let code = status.as_u16();
        // A flood of refusals is when the gateway must be at its fastest: one buffer, and nothing that needs escaping in it.
        let mut json = String::with_capacity(ROOM);
        let _ = write!(
            json,
            r#"{{"type":"{kind}","title":"{title}","status":{code},"detail":"{detail}","request_id":"{id}""#
        );
        if let Self::Limited { policies, .. } = self {
            json.push_str(r#","violated-policies":["#);
            for (place, name) in policies.iter().enumerate() {
                json.push_str(if place == 0 { "\"" } else { ",\"" });
                json.push_str(name.as_str());
                json.push('"');
            }
            json.push(']');
        }
        json.push('}');
        let mut response = Response::new(Body::local(json));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Ok(value) = HeaderValue::try_from([hop, ";error=", error].concat()) {
            headers.insert(PROXY_STATUS, value);
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Self::MethodNotAllowed(allow) = self {
            headers.insert(ALLOW, allow.clone());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_request_is_told_when_to_come_back() {
        let refusal = Refusal::Limited {
            policies: vec!["per-client".into()],
            retry_after: Micros::new(1_000_001),
        };
        let response = refusal.response(&HeaderValue::from_static("id-1"), "edge");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(
            response.headers()[PROXY_STATUS],
            "edge;error=http_request_denied"
        );
        let body: serde_json::Value =
            serde_json::from_slice(response.into_body().local_bytes().unwrap()).unwrap();
        assert_eq!(body["violated-policies"][0], "per-client");
        assert_eq!(body["request_id"], "id-1");
        assert_eq!(body["status"], 429);
    }
}
