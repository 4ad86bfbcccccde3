//! What an upstream's `Retry-After` asks for (RFC 9110, section 10.2.3). Must not: look at a clock.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// The wait that is asked for; none if there is no such field or it makes no sense. A date is taken against the answer's own `Date`,
/// so that it means what the upstream meant whatever the time is here.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than can be counted are more than anybody waits.
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(after: &'static str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(after));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        asked(&headers)
    }

    #[test]
    fn seconds_and_dates_are_understood_and_nothing_else() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(of("120", None), Some(Duration::from_secs(120)));
        assert_eq!(of("0", date), Some(Duration::ZERO));
        assert_eq!(of("99999999999999999999999", None), Some(Duration::MAX));
        assert_eq!(
            of("Sun, 06 Nov 1994 08:50:07 GMT", date),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            of("Sun, 06 Nov 1994 08:00:00 GMT", date),
            Some(Duration::ZERO)
        );
        assert_eq!(of("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
        for nonsense in ["", "soon", "-1", "1.5", "+3"] {
            assert_eq!(of(nonsense, date), None, "{nonsense}");
        }
        assert_eq!(asked(&HeaderMap::new()), None);
    }
}
