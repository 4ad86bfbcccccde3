//! Which fields of an answer are for everybody, and when it came.
//!
//! Guarantees: what counts or names one client's requests is not kept; what is kept has a date. Must not: judge.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{AGE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::proxy::headers::X_REQUEST_ID;
use crate::telemetry::logs;

/// Fields of one answer to one client, beside those of this hop.
const OF_ONE: [HeaderName; 4] = [
    X_REQUEST_ID,
    AGE,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
];
/// The same under names that were never agreed on.
const RATE_PREFIXES: [&str; 3] = ["x-ratelimit-", "x-rate-limit-", "ratelimit-"];

/// The fields of an answer that are the same for everybody, dated.
pub(super) fn for_all(headers: &HeaderMap) -> HeaderMap {
    let mut fields = headers.clone();
    let own: Vec<_> = headers
        .keys()
        .filter(|name| {
            RATE_PREFIXES
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix))
        })
        .cloned()
        .collect();
    for name in OF_ONE.iter().chain(&own) {
        fields.remove(name);
    }
    if !fields.contains_key(DATE) {
        // RFC 9110, section 6.6.1: whoever keeps an answer without one says when it came.
        let since = UNIX_EPOCH + Duration::from_secs(now());
        if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(since)) {
            fields.insert(DATE, date);
        }
    }
    fields
}

/// Seconds since 1970: what dates in messages are compared with.
pub(super) fn now() -> u64 {
    logs::unix_millis() / 1_000
}
