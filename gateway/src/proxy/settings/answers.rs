//! A route's own answers as configured.

use http::{HeaderName, HeaderValue, StatusCode};

/// Answers of a route's own in place of the gateway's, by what happened.
#[derive(Clone, Debug, Default)]
pub struct AnswersSettings {
    /// No credentials, or bad ones.
    pub unauthorized: Option<AnswerSettings>,
    /// Good credentials, or none needed, and no entry.
    pub forbidden: Option<AnswerSettings>,
    /// A limit is spent.
    pub limited: Option<AnswerSettings>,
    /// The circuit is open, or no endpoint takes requests.
    pub circuit_open: Option<AnswerSettings>,
    /// The upstream did not answer in time.
    pub timeout: Option<AnswerSettings>,
    /// No connection, or a broken response.
    pub bad_gateway: Option<AnswerSettings>,
}

/// One answer of a route's own.
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
