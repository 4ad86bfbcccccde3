//! Which part of what is kept a client asks for (RFC 9110, section 14).
//!
//! Guarantees: one range of bytes, or all of it: an answer in several parts is nothing a server owes. Must not: touch content.

use http::header::{ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, Method};

/// Bytes of a content, first and last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first.
    pub first: usize,
    /// The last.
    pub last: usize,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranged {
    /// All of it.
    Whole,
    /// This part: 206.
    Part(ByteRange),
    /// A part that is not there: 416.
    Outside,
}

/// The part of `length` bytes with `kept` fields that a request asks for.
#[must_use]
pub fn ranged(method: &Method, request: &HeaderMap, kept: &HeaderMap, length: usize) -> Ranged {
    let mut asked = request.get_all(RANGE).iter();
    let (Some(range), None) = (asked.next(), asked.next()) else {
        return Ranged::Whole;
    };
    if *method != Method::GET || !is_same(request, kept) {
        return Ranged::Whole;
    }
    let spec = range.to_str().ok().and_then(|range| {
        let (unit, spec) = range.split_once('=')?;
        unit.trim()
            .eq_ignore_ascii_case("bytes")
            .then_some(spec.trim())
    });
    let Some((first, last)) = spec.and_then(|spec| spec.split_once('-')) else {
        return Ranged::Whole;
    };
    if first.is_empty() {
        return last
            .parse()
            .map_or(Ranged::Whole, |count: usize| suffix(count, length));
    }
    let first: Option<usize> = first.parse().ok();
    let last = match last {
        "" => Some(usize::MAX),
        last => last.parse().ok(),
    };
    match (first, last) {
        (Some(first), Some(last)) if first > last => Ranged::Whole,
        (Some(first), Some(_)) if first >= length => Ranged::Outside,
        (Some(first), Some(last)) => Ranged::Part(ByteRange {
            first,
            last: last.min(length - 1),
        }),
        _ => Ranged::Whole,
    }
}

fn suffix(count: usize, length: usize) -> Ranged {
    if count == 0 || length == 0 {
        return Ranged::Outside;
    }
    Ranged::Part(ByteRange {
        first: length.saturating_sub(count),
        last: length - 1,
    })
}

/// Whether what the client has a part of is what is kept (RFC 9110, section 13.1.5): by a strong tag, or the very date.
fn is_same(request: &HeaderMap, kept: &HeaderMap) -> bool {
    let Some(condition) = request.get(IF_RANGE) else {
        return true;
    };
    let weak = condition.as_bytes().starts_with(b"W/");
    !weak && (kept.get(ETAG) == Some(condition) || kept.get(LAST_MODIFIED) == Some(condition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn asked(range: &str, condition: Option<&str>) -> Ranged {
        let mut request = HeaderMap::new();
        request.insert(RANGE, HeaderValue::from_str(range).unwrap());
        if let Some(condition) = condition {
            request.insert(IF_RANGE, HeaderValue::from_str(condition).unwrap());
        }
        let mut kept = HeaderMap::new();
        kept.insert(ETAG, HeaderValue::from_static("\"a\""));
        ranged(&Method::GET, &request, &kept, 10)
    }

    #[test]
    fn one_range_is_served_and_anything_else_is_all_or_nothing() {
        let part = |first, last| Ranged::Part(ByteRange { first, last });
        for (range, expected) in [
            ("bytes=0-3", part(0, 3)),
            ("bytes=5-", part(5, 9)),
            ("bytes=-4", part(6, 9)),
            ("bytes=-40", part(0, 9)),
            ("bytes=9-99", part(9, 9)),
            ("bytes=10-", Ranged::Outside),
            ("bytes=-0", Ranged::Outside),
            ("bytes=3-2", Ranged::Whole),
            ("bytes=0-1,3-4", Ranged::Whole),
            ("lines=0-1", Ranged::Whole),
            ("bytes=x-1", Ranged::Whole),
        ] {
            assert_eq!(asked(range, None), expected, "{range}");
        }
        assert_eq!(asked("bytes=0-3", Some("\"a\"")), part(0, 3));
        assert_eq!(asked("bytes=0-3", Some("\"b\"")), Ranged::Whole);
        assert_eq!(asked("bytes=0-3", Some("W/\"a\"")), Ranged::Whole);
    }
}
