//! Answers of a route's own in place of the gateway's: another status, another body, for clients that were built against
//! another system.
//!
//! Guarantees: what the contract promises of every refusal (`Retry-After`, `Proxy-Status`, the request id, limit headers) stays.
//! Must not: decide whether there is a refusal.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::body::Body;
use super::refusal::Refusal;
use super::settings::{AnswerSettings, AnswersSettings};

/// The answers of one route.
#[derive(Debug, Default)]
pub(super) struct Answers {
    limited: Option<Answer>,
    circuit_open: Option<Answer>,
    timeout: Option<Answer>,
    bad_gateway: Option<Answer>,
}

/// One answer, its template taken apart.
#[derive(Debug)]
struct Answer {
    status: Option<StatusCode>,
    content_type: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    RequestId,
    RetryAfter,
    Route,
}

static PLACEHOLDERS: [(&str, Part); 3] = [
    ("{request_id}", Part::RequestId),
    ("{retry_after}", Part::RetryAfter),
    ("{route}", Part::Route),
];

impl Answers {
    pub(super) fn new(settings: &AnswersSettings) -> Self {
        let answer = |one: &Option<AnswerSettings>| one.as_ref().map(Answer::new);
        Self {
            limited: answer(&settings.limited),
            circuit_open: answer(&settings.circuit_open),
            timeout: answer(&settings.timeout),
            bad_gateway: answer(&settings.bad_gateway),
        }
    }

    /// Puts the route's own answer for `refusal`, if it has one, in place of the gateway's.
    pub(super) fn replace(
        &self,
        refusal: &Refusal,
        facts: &Facts<'_>,
        response: Response<Body>,
    ) -> Response<Body> {
        let own = match refusal {
            Refusal::Limited { .. } => &self.limited,
            Refusal::CircuitOpen { .. } | Refusal::NoEndpoint => &self.circuit_open,
            Refusal::UpstreamTimeout => &self.timeout,
            Refusal::ConnectFailed | Refusal::BrokenResponse | Refusal::AmbiguousResponse => {
                &self.bad_gateway
            }
            Refusal::NoRoute
            | Refusal::MethodNotAllowed(_)
            | Refusal::BadRequest(_)
            | Refusal::Faulty(_)
            | Refusal::Expectation
            | Refusal::OnlyIfCached
            | Refusal::NotImplemented(_) => &None,
        };
        match own {
            Some(own) => own.dress(facts, response),
            None => response,
        }
    }
}

/// What a template may speak of.
pub(super) struct Facts<'a> {
    pub(super) request_id: &'a str,
    pub(super) retry_after: u64,
    pub(super) route: &'a str,
}

impl Answer {
    fn new(settings: &AnswerSettings) -> Self {
        Self {
            status: settings.status,
            content_type: settings.content_type.clone(),
            headers: settings.headers.clone(),
            body: parts(&settings.body),
        }
    }

    fn dress(&self, facts: &Facts<'_>, response: Response<Body>) -> Response<Body> {
        let mut response = response.map(|_| Body::local(self.text(facts)));
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

    fn text(&self, facts: &Facts<'_>) -> Bytes {
        let mut text = String::new();
        for part in &self.body {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::RequestId => text.push_str(facts.request_id),
                Part::RetryAfter => text.push_str(&facts.retry_after.to_string()),
                Part::Route => text.push_str(facts.route),
            }
        }
        text.into()
    }
}

/// Braces that are no placeholder are themselves: most bodies are JSON.
fn parts(template: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = template;
    let next = |rest: &str| {
        let found = PLACEHOLDERS
            .iter()
            .filter_map(|(name, part)| Some((rest.find(name)?, *name, part)));
        found.min_by_key(|(at, ..)| *at)
    };
    while let Some((at, name, part)) = next(rest) {
        parts.push(Part::Text(rest[..at].to_owned()));
        parts.push(part.clone());
        rest = &rest[at + name.len()..];
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| *part != Part::Text(String::new()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_and_its_json_left_alone() {
        let answer = Answer {
            status: Some(StatusCode::OK),
            content_type: HeaderValue::from_static("application/json"),
            headers: Vec::new(),
            body: parts(r#"{"a":{"id":"{request_id}"},"wait":{retry_after},"r":"{route}"}"#),
        };
        let facts = Facts {
            request_id: "x1",
            retry_after: 7,
            route: "proxy",
        };
        assert_eq!(
            answer.text(&facts),
            r#"{"a":{"id":"x1"},"wait":7,"r":"proxy"}"#
        );
    }
}
