//! Answers in place of the gateway's own, as configured.

use http::{HeaderName, HeaderValue, StatusCode};

/// What happened, so far as answers can be told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// A limit is spent.
    Limited,
    /// The circuit is open, or no endpoint takes requests.
    CircuitOpen,
    /// The upstream did not answer in time.
    Timeout,
    /// No connection, or a broken response.
    BadGateway,
    /// No credentials, or bad ones.
    Unauthorized,
    /// Credentials that are not enough, or an address that is not let in.
    Forbidden,
    /// No route takes the request.
    NotFound,
    /// A route has this path, none this method.
    MethodNotAllowed,
    /// The gateway has more to do than it can.
    Overloaded,
    /// The body, the head or the target is larger than allowed.
    TooLarge,
    /// The request is malformed, ambiguous, or took too long to arrive.
    BadRequest,
}

/// Answers in place of the gateway's own, by what happened; each kind at most once.
pub type AnswersSettings = Vec<(AnswerKind, AnswerSettings)>;

/// One answer.
#[derive(Clone, Debug)]
pub struct AnswerSettings {
    /// The status; none keeps the gateway's.
    pub status: Option<StatusCode>,
    /// The media type of the body.
    pub content_type: HeaderValue,
    /// Headers to set.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, in which `{request_id}`, `{retry_after}` and `{route}` stand for what they say.
    pub body: String,
}
