//! The limits of a request's head, which HTTP/1.1 requests meet before they are parsed. Must not: know what a field means.

use http::Request;

use super::super::guard::Limits;
use crate::proxy::Fault;

/// What a field costs beside its name and value: `: ` and the line's end, as in HTTP/1.1.
const FIELD: usize = 4;

/// What is wrong with the size of a head, if anything.
pub(super) fn fault<B>(request: &Request<B>, limits: &Limits) -> Option<Fault> {
    let target = request.uri().path_and_query();
    let target = target.map_or(0, |target| target.as_str().len());
    if target > limits.uri {
        return Some(Fault::UriTooLong);
    }
    let headers = request.headers();
    let fields: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD)
        .sum();
    (headers.len() > limits.headers || target + fields > limits.head).then_some(Fault::HeadTooLarge)
}
