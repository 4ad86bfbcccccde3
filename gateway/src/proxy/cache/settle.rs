//! What came of asking the origin: what the client gets of it, and what is kept.
//!
//! Guarantees: an error is answered with what is stale where that is allowed; what counts or names one client's requests is not kept.
//! Must not: ask.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts as Head;
use http::{HeaderMap, HeaderName, Response, StatusCode};
use tokio::time::Instant;

use super::Wish;
use super::answer::not_modified;
use super::collect::{Filling, collect, relay};
use super::fields::{for_all, now};
use super::route::RouteCache;
use super::status::{Forwarded, Outcome};
use crate::cache::{Answer, Entry, Fill};
use crate::policy::cacheability::{
    Reason, Terms, concerns, freshen, initial_age, is_not_modified, judge, vary_names,
};
use crate::proxy::Body;
use crate::proxy::headers::X_REQUEST_ID;
use crate::proxy::record::Record;
use crate::proxy::refusal::Refusal;

/// What was judged: the terms, and the fields that tell variants; or why not.
type Judged = Result<(Terms, Vec<HeaderName>), Reason>;

/// A fill on its way: what was asked, and what there was.
pub(super) struct Asking<'a> {
    pub(super) cache: &'a RouteCache,
    pub(super) wish: &'a Wish,
    /// The request as it came.
    pub(super) head: Head,
    pub(super) base: Option<Arc<Entry>>,
    /// How long the answer took.
    pub(super) delay: Duration,
}

/// What an outcome means for what is kept.
enum Verdict {
    /// What is kept still holds, with these fields; on these terms from now on, or for this client alone.
    Unchanged(Arc<Entry>, HeaderMap, Option<(Terms, Vec<HeaderName>)>),
    /// The origin fails.
    Failure,
    /// Keep this.
    Keep(Terms, Vec<HeaderName>),
    /// Do not.
    Refuse(Reason),
}

impl Asking<'_> {
    fn verdict(&self, outcome: &Result<Response<Body>, Refusal>) -> Verdict {
        let Ok(response) = outcome else {
            return Verdict::Failure;
        };
        if is_failure(outcome) {
            return Verdict::Failure;
        }
        if let (StatusCode::NOT_MODIFIED, Some(base)) = (response.status(), &self.base) {
            let mut headers = base.headers.clone();
            if !concerns(response.headers(), &headers) {
                return Verdict::Unchanged(Arc::clone(base), headers, None);
            }
            freshen(&mut headers, &for_all(response.headers()));
            let terms = self.judge(base.status, &headers).ok();
            return Verdict::Unchanged(Arc::clone(base), headers, terms);
        }
        match self.judge(response.status(), response.headers()) {
            Ok((terms, vary)) => Verdict::Keep(terms, vary),
            Err(reason) => Verdict::Refuse(reason),
        }
    }

    fn judge(&self, status: StatusCode, headers: &HeaderMap) -> Judged {
        let Some(reads) = &self.cache.reads else {
            return Err(Reason::Method);
        };
        let rules = &reads.settings.rules;
        let (method, asked) = (&self.head.method, self.wish.asked);
        let terms = judge(method, status, headers, asked, rules, now())?;
        Ok((terms, vary_names(headers)?))
    }

    /// The client's answer, and what is kept of it.
    pub(super) async fn settle(
        self,
        record: &mut Record,
        fill: Box<Fill>,
        outcome: Result<Response<Body>, Refusal>,
    ) -> Result<Response<Body>, Refusal> {
        match self.verdict(&outcome) {
            Verdict::Unchanged(base, headers, terms) => {
                let said = outcome?;
                let entry = self
                    .unchanged(fill, &base, headers, said.headers(), terms)
                    .await;
                Ok(self
                    .cache
                    .hit(record, &self.head, &entry, Outcome::Revalidated))
            }
            Verdict::Failure => {
                fill.failed(self.base.as_ref());
                match &self.base {
                    Some(base) if base.terms.allow_on_error(base.age(), &self.wish.directives) => {
                        Ok(self
                            .cache
                            .hit(record, &self.head, base, Outcome::StaleError))
                    }
                    _ => outcome.map(|answer| self.told(answer, Err(None))),
                }
            }
            Verdict::Refuse(reason) => {
                refuse(*fill, reason);
                outcome.map(|answer| self.told(answer, Err(Some(reason))))
            }
            Verdict::Keep(terms, vary) => {
                let answer = outcome?;
                if is_too_large(&answer, self.cache) {
                    fill.pass();
                    return Ok(self.told(answer, Err(None)));
                }
                Ok(self.collected(fill, answer, terms, vary))
            }
        }
    }

    /// Keeps what came of asking in the background.
    pub(super) async fn settle_behind(
        self,
        fill: Box<Fill>,
        outcome: Result<Response<Body>, Refusal>,
    ) {
        match (self.verdict(&outcome), outcome) {
            (Verdict::Unchanged(base, headers, terms), Ok(said)) => {
                self.unchanged(fill, &base, headers, said.headers(), terms)
                    .await;
                self.cache.count(Outcome::Revalidated);
            }
            (Verdict::Keep(terms, vary), Ok(response)) if !is_too_large(&response, self.cache) => {
                let (parts, body) = response.into_parts();
                let Some((body, late)) = body.into_upstream() else {
                    return;
                };
                let filling = self.filling(fill, &parts, terms, vary);
                collect(filling, body, late, None).await;
                self.cache.count(Outcome::Miss);
            }
            (Verdict::Failure, _) => fill.failed(self.base.as_ref()),
            (Verdict::Refuse(reason), _) => refuse(*fill, reason),
            _ => fill.give_up(),
        }
    }

    /// What is kept, brought up to date.
    async fn unchanged(
        &self,
        fill: Box<Fill>,
        base: &Arc<Entry>,
        headers: HeaderMap,
        said: &HeaderMap,
        terms: Option<(Terms, Vec<HeaderName>)>,
    ) -> Arc<Entry> {
        let Some((terms, vary)) = terms else {
            // For this client, a cookie that the 304 sets included; the next one asks for itself.
            fill.give_up();
            let mut entry = Entry::clone(base);
            entry.headers = headers;
            return Arc::new(entry);
        };
        let answer = Answer {
            status: base.status,
            fields: headers,
            body: base.body.clone(),
            terms,
            vary,
            age: initial_age(said, now(), self.delay),
            since: Instant::now(),
        };
        match &self.cache.reads {
            Some(reads) => fill.keep(&reads.class, &self.head.headers, answer).await,
            None => Arc::clone(base),
        }
    }

    /// The answer, collected on its way to the client.
    fn collected(
        &self,
        fill: Box<Fill>,
        answer: Response<Body>,
        terms: Terms,
        vary: Vec<HeaderName>,
    ) -> Response<Body> {
        let (parts, body) = answer.into_parts();
        let filling = self.filling(fill, &parts, terms, vary);
        let status = parts.status;
        let has_it =
            status == StatusCode::OK && is_not_modified(&self.head.headers, &filling.answer.fields);
        let body = body.relayed(|body, late| relay(filling, body, late));
        self.cache.count(Outcome::Miss);
        let mut answer = Response::from_parts(parts, body);
        if has_it {
            // It asked whether it has what it has; the rest of the answer is for the others.
            let id = answer.headers_mut().remove(X_REQUEST_ID);
            answer = not_modified(answer.headers());
            if let Some(id) = id {
                answer.headers_mut().insert(X_REQUEST_ID, id);
            }
        }
        let members = self.because().members(status.as_u16(), Ok(()));
        self.cache.status(answer.headers_mut(), &members);
        answer
    }

    fn filling(
        &self,
        fill: Box<Fill>,
        parts: &http::response::Parts,
        terms: Terms,
        vary: Vec<HeaderName>,
    ) -> Filling {
        let mut fields = for_all(&parts.headers);
        fields.remove(CONTENT_LENGTH);
        let reads = self.cache.reads.as_ref();
        Filling {
            fill,
            class: reads.map(|reads| reads.class.clone()).unwrap_or_default(),
            asked: self.head.headers.clone(),
            answer: Answer {
                status: parts.status,
                fields,
                body: Bytes::new(),
                terms,
                vary,
                age: initial_age(&parts.headers, now(), self.delay),
                since: Instant::now(),
            },
        }
    }

    fn told(&self, mut answer: Response<Body>, kept: Result<(), Option<Reason>>) -> Response<Body> {
        self.cache.count(Outcome::Pass);
        let members = self.because().members(answer.status().as_u16(), kept);
        self.cache.status(answer.headers_mut(), &members);
        answer
    }

    const fn because(&self) -> Forwarded {
        if self.base.is_some() {
            Forwarded::Stale
        } else {
            Forwarded::Miss
        }
    }
}

impl RouteCache {
    pub(super) fn count(&self, outcome: Outcome) {
        if let Some(reads) = &self.reads {
            reads.count(outcome);
        }
    }
}

/// Ends a fill whose answer is not kept: for the next client too, unless it was this one's own doing.
fn refuse(fill: Fill, reason: Reason) {
    match reason {
        Reason::Authorization | Reason::Cookie | Reason::Method => fill.give_up(),
        _ => fill.pass(),
    }
}

/// An error in the sense of RFC 5861, section 4: a failing upstream, or none.
pub(super) fn is_failure(outcome: &Result<Response<Body>, Refusal>) -> bool {
    match outcome {
        Ok(response) => matches!(response.status().as_u16(), 500 | 502..=504),
        Err(refusal) => is_upstreams(refusal),
    }
}

/// Whether it is the upstream that fails, and not the request that is at fault.
const fn is_upstreams(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::CircuitOpen { .. }
            | Refusal::NoEndpoint
            | Refusal::UpstreamBusy
            | Refusal::ConnectFailed
            | Refusal::TlsFailed
            | Refusal::BadCertificate
            | Refusal::BrokenResponse
            | Refusal::AmbiguousResponse
            | Refusal::UpstreamTimeout
    )
}

fn is_too_large(answer: &Response<Body>, cache: &RouteCache) -> bool {
    let most = cache.kept.cache.settings().max_object as u64;
    http_body::Body::size_hint(answer.body()).lower() > most
}
