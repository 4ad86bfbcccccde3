//! HTTP dates as seconds since 1970. Must not: believe a date that cannot be read.

use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderName};

/// The date in `name`, if there is one, once, and it is a date (RFC 9110, section 5.6.7).
pub(super) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let date = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}
