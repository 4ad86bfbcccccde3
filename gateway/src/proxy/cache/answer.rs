//! An answer out of what is kept: the whole, a part, "not modified", or the head alone.
//!
//! Guarantees: `Age` is its age; what one request is called is not what another is. Must not: judge whether it may be used.

use bytes::Bytes;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, DATE, ETAG, EXPIRES,
    SET_COOKIE, VARY,
};
use http::request::Parts as Head;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::route::RouteCache;
use super::status::Outcome;
use crate::cache::Entry;
use crate::policy::cacheability::{Ranged, is_not_modified, ranged};
use crate::proxy::Body;
use crate::proxy::headers::X_REQUEST_ID;
use crate::proxy::record::Record;

/// What a 304 says (RFC 9110, section 15.4.5).
const NOT_MODIFIED: [HeaderName; 7] = [
    CACHE_CONTROL,
    CONTENT_LOCATION,
    DATE,
    ETAG,
    EXPIRES,
    // Nothing that is kept has one: the origin's 304 sets it for this client.
    SET_COOKIE,
    VARY,
];

impl RouteCache {
    /// The answer to a request with `head` from `entry`, counted and recorded as `outcome`.
    pub(super) fn hit(
        &self,
        record: &mut Record,
        head: &Head,
        entry: &Entry,
        outcome: Outcome,
    ) -> Response<Body> {
        if let Some(reads) = &self.reads {
            reads.count(outcome);
        }
        record.context.decision = outcome.decision();
        let mut response = selected(&head.method, &head.headers, entry);
        let headers = response.headers_mut();
        headers.insert(AGE, HeaderValue::from(entry.age().as_secs()));
        headers.insert(X_REQUEST_ID, record.context.request_id.clone());
        self.status(headers, &outcome.members(entry));
        response
    }
}

/// What of an entry a request gets.
fn selected(method: &Method, request: &HeaderMap, entry: &Entry) -> Response<Body> {
    if entry.status != StatusCode::OK {
        return whole(method, entry);
    }
    if is_not_modified(request, &entry.headers) {
        return not_modified(&entry.headers);
    }
    match ranged(method, request, &entry.headers, entry.body.len()) {
        Ranged::Whole => whole(method, entry),
        Ranged::Part(part) => {
            let range = format!("bytes {}-{}/{}", part.first, part.last, entry.body.len());
            let content = entry.body.slice(part.first..=part.last);
            partial(StatusCode::PARTIAL_CONTENT, &range, content, entry)
        }
        Ranged::Outside => {
            let range = format!("bytes */{}", entry.body.len());
            partial(
                StatusCode::RANGE_NOT_SATISFIABLE,
                &range,
                Bytes::new(),
                entry,
            )
        }
    }
}

fn whole(method: &Method, entry: &Entry) -> Response<Body> {
    let content = if *method == Method::HEAD {
        Bytes::new()
    } else {
        entry.body.clone()
    };
    let mut response = Response::new(Body::local(content));
    *response.status_mut() = entry.status;
    *response.headers_mut() = entry.headers.clone();
    if entry.status != StatusCode::NO_CONTENT {
        let length = HeaderValue::from(entry.body.len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    response
}

fn partial(status: StatusCode, range: &str, content: Bytes, entry: &Entry) -> Response<Body> {
    let length = HeaderValue::from(content.len());
    let mut response = Response::new(Body::local(content));
    *response.status_mut() = status;
    *response.headers_mut() = entry.headers.clone();
    response.headers_mut().insert(CONTENT_LENGTH, length);
    if let Ok(range) = HeaderValue::from_str(range) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

/// "You have it": the fields that matter of an answer with `kept`.
pub(super) fn not_modified(kept: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::local(Bytes::new()));
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    for name in &NOT_MODIFIED {
        for value in kept.get_all(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}
