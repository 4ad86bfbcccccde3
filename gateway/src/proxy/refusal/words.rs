//! How each refusal looks and what it says: its status, its labels, its words for people.
//!
//! Must not: say anything of a request or an upstream; that is [`super::Refusal::response`]'s part.

use http::StatusCode;

use super::Refusal;
use crate::proxy::sanity::Fault;

const BLANK: &str = "about:blank";
/// Problem types of draft-ietf-httpapi-ratelimit-headers-11.
const QUOTA: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// How a refusal looks.
pub(super) struct Shape {
    pub(super) status: StatusCode,
    /// The decision's label in logs.
    pub(super) label: &'static str,
    /// `error` of Proxy-Status, from the registry of RFC 9209, section 2.3.
    pub(super) error: &'static str,
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) detail: &'static str,
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

impl Refusal {
    /// Its status and words.
    pub(super) const fn shape(&self) -> Shape {
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
            Self::Unauthorized(_) => shape(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "http_request_denied",
                BLANK,
                "Unauthorized",
                "Credentials are missing or not good; see WWW-Authenticate.",
            ),
            Self::Forbidden(_) => shape(
                StatusCode::FORBIDDEN,
                "forbidden",
                "http_request_denied",
                BLANK,
                "Forbidden",
                "This is not open to whoever asks for it.",
            ),
            Self::Undecided => shape(
                StatusCode::SERVICE_UNAVAILABLE,
                "auth_unavailable",
                "proxy_internal_error",
                BLANK,
                "Service Unavailable",
                "Nobody can say at present whether this is allowed; see Retry-After.",
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
            Self::OnlyIfCached => shape(
                StatusCode::GATEWAY_TIMEOUT,
                "only_if_cached",
                "http_request_denied",
                BLANK,
                "Gateway Timeout",
                "Nothing is kept for this request, and it says only-if-cached.",
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::units::Micros;

    /// One of each. A new one does not compile before it has an arm below; then it belongs into this list.
    fn every() -> Vec<Refusal> {
        let faults = [
            Fault::Malformed(""),
            Fault::UnknownCoding,
            Fault::UriTooLong,
            Fault::HeadTooLarge,
            Fault::SlowHead,
            Fault::BodyTooLarge,
            Fault::SlowBody,
        ];
        let mut all = vec![
            Refusal::NoRoute,
            Refusal::MethodNotAllowed(http::HeaderValue::from_static("GET")),
            Refusal::BadRequest(""),
            Refusal::Expectation,
            Refusal::NotImplemented(""),
            Refusal::Unauthorized(Vec::new()),
            Refusal::Forbidden(None),
            Refusal::Undecided,
            Refusal::Limited {
                policies: Vec::new(),
                retry_after: Micros::ZERO,
            },
            Refusal::CircuitOpen {
                retry_after: Micros::ZERO,
            },
            Refusal::NoEndpoint,
            Refusal::OnlyIfCached,
            Refusal::ConnectFailed,
            Refusal::TlsFailed,
            Refusal::BadCertificate,
            Refusal::BrokenResponse,
            Refusal::AmbiguousResponse,
            Refusal::UpstreamTimeout,
            Refusal::Overloaded,
            Refusal::UpstreamBusy,
        ];
        all.extend(faults.map(Refusal::Faulty));
        all
    }

    #[test]
    fn the_runbook_explains_each() {
        let runbook = include_str!("../../../../docs/operations.md");
        for refusal in every() {
            let Shape { status, label, .. } = refusal.shape();
            let row = format!("| {} | `{label}` |", status.as_u16());
            assert!(runbook.contains(&row), "docs/operations.md has no {row}");
        }
    }
}
