//! What an upstream's `Retry-After` asks for (RFC 9110, section 10.2.3), or the pushback of gRPC (gRFC A6). Must not: look at a clock.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// The wait that is asked for; none if there is no such field or it makes no sense. A date is taken against the answer's own `Date`,
/// so that it means what the upstream meant whatever the time is here.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    if let Some(millis) = headers.get("grpc-retry-pushback-ms") {
        // "If the value is negative or unparseable, do not retry": longer than anybody waits.
        let millis = millis.to_str().ok().and_then(|millis| millis.parse().ok());
        return Some(millis.map_or(Duration::MAX, Duration::from_millis));
    }
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
    fn a_pushback_counts_in_milliseconds_and_ends_the_retries_if_it_is_none() {
        for (text, expected) in [
            ("250", Duration::from_millis(250)),
            ("0", Duration::ZERO),
            ("-1", Duration::MAX),
            ("soon", Duration::MAX),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            headers.insert("grpc-retry-pushback-ms", HeaderValue::from_static(text));
            assert_eq!(asked(&headers), Some(expected), "{text}");
        }
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
