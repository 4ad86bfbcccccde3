//! Every reason for which the gateway answers itself, and the only place that chooses a status for one.
//!
//! Guarantees: each is `application/problem+json` (RFC 9457) with `Proxy-Status` (RFC 9209), and says nothing of the upstream's
//! address. Must not: be built from an upstream's answer.

mod words;

use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response};

use words::Shape;

use super::body::Body;
use super::headers::Hop;
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
    /// No credentials, or bad ones: what would do instead.
    Unauthorized(Vec<HeaderValue>),
    /// Whoever it is may not: what would do instead, if anything.
    Forbidden(Option<HeaderValue>),
    /// Whoever decides who is let in does not answer.
    Undecided,
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

/// Bytes for a refusal's body: the longest there usually is.
const ROOM: usize = 512;

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
            Self::Unauthorized(_) => AnswerKind::Unauthorized,
            Self::Forbidden(_) => AnswerKind::Forbidden,
            Self::Limited { .. } => AnswerKind::Limited,
            Self::CircuitOpen { .. } | Self::NoEndpoint => AnswerKind::CircuitOpen,
            Self::UpstreamTimeout => AnswerKind::Timeout,
            Self::Overloaded | Self::UpstreamBusy => AnswerKind::Overloaded,
            Self::ConnectFailed
            | Self::TlsFailed
            | Self::BadCertificate
            | Self::BrokenResponse
            | Self::AmbiguousResponse => AnswerKind::BadGateway,
            Self::Expectation | Self::NotImplemented(_) | Self::Undecided | Self::OnlyIfCached => {
                return None;
            }
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

    /// When to come back, in whole seconds, at least 1: never earlier than the truth.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Limited { retry_after, .. } | Self::CircuitOpen { retry_after } => {
                Some(retry_after.ceil_secs().max(1))
            }
            Self::NoEndpoint | Self::Overloaded | Self::UpstreamBusy | Self::Undecided => Some(1),
            _ => None,
        }
    }

    /// The answer. `request_id` has been checked to need no escaping, names of limits are letters, digits and `-_.`; `hop` is
    /// this deployment.
    pub(super) fn response(&self, request_id: &HeaderValue, hop: &Hop) -> Response<Body> {
        let shape = self.shape();
        let json = self.document(&shape, request_id.to_str().unwrap_or_default());
        let mut response = Response::new(Body::local(json));
        *response.status_mut() = shape.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(PROXY_STATUS, hop.fault(shape.error));
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self {
            Self::MethodNotAllowed(allow) => {
                headers.insert(ALLOW, allow.clone());
            }
            Self::Unauthorized(challenges) => {
                for challenge in challenges {
                    headers.append(WWW_AUTHENTICATE, challenge.clone());
                }
            }
            Self::Forbidden(Some(challenge)) => {
                headers.insert(WWW_AUTHENTICATE, challenge.clone());
            }
            _ => {}
        }
        response
    }

    /// The problem document. A flood of refusals is when the gateway must be at its fastest: one buffer, nothing that needs escaping in
    /// it, and none of the formatting machinery.
    fn document(&self, shape: &Shape, id: &str) -> String {
        let mut code = itoa::Buffer::new();
        let code = code.format(shape.status.as_u16());
        let mut json = String::with_capacity(ROOM);
        let members = [
            (r#"{"type":""#, shape.kind),
            (r#"","title":""#, shape.title),
            (r#"","status":"#, code),
            (r#","detail":""#, shape.detail),
            (r#"","request_id":""#, id),
        ];
        for (key, value) in members {
            json.push_str(key);
            json.push_str(value);
        }
        json.push('"');
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
        json
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
        let response = refusal.response(&HeaderValue::from_static("id-1"), &Hop::new("edge"));
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
