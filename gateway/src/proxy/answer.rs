//! Answers of the configuration's own: in place of the gateway's refusals, for clients that were built against another system, and
//! as all that a route says.
//!
//! Guarantees: what the contract promises of every refusal (`Retry-After`, `Proxy-Status`, the request id, limit headers) stays.
//! Must not: decide whether there is a refusal.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::body::Body;
use super::refusal::Refusal;
use super::settings::{AnswerKind, AnswerSettings, AnswersSettings};
use super::template::{Facts, Template};

/// The answers of one route, or of what no route took.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(AnswerKind, Answer)>);

/// One answer, its templates taken apart.
#[derive(Debug)]
pub(super) struct Answer {
    status: Option<StatusCode>,
    content_type: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Template,
}

impl Answers {
    pub(super) fn new(settings: &AnswersSettings, names: &[Box<str>]) -> Self {
        let one = |(kind, answer): &(_, _)| (*kind, Answer::new(answer, names));
        Self(settings.iter().map(one).collect())
    }

    /// The answer for `refusal`, if there is one.
    pub(super) fn to(&self, refusal: &Refusal) -> Option<&Answer> {
        if self.0.is_empty() {
            return None;
        }
        let kind = refusal.kind()?;
        let found = self.0.iter().find(|(known, _)| *known == kind);
        found.map(|(_, answer)| answer)
    }

    /// Whether one speaks of the path's parameters.
    pub(super) fn have_parameters(&self) -> bool {
        self.0.iter().any(|(_, answer)| answer.has_parameters())
    }
}

impl Answer {
    pub(super) fn new(settings: &AnswerSettings, names: &[Box<str>]) -> Self {
        Self {
            status: settings.status,
            content_type: settings.content_type.clone(),
            headers: settings.headers.clone(),
            body: Template::new(&settings.body, names),
        }
    }

    /// Whether it speaks of the path's parameters.
    pub(super) fn has_parameters(&self) -> bool {
        self.body.has_parameters()
    }

    /// Puts it in place of what `response` says, beside what it announces.
    pub(super) fn dress(&self, facts: &Facts<'_>, response: Response<Body>) -> Response<Body> {
        let mut response = response.map(|_| Body::local(self.body.fill(facts)));
        if let Some(status) = self.status {
            *response.status_mut() = status;
        }
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        response
    }
}
