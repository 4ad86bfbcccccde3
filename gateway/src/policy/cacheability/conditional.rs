//! Conditions, of clients and towards upstreams, and what a 304 says of what is kept (RFC 9110, section 13; RFC 9111, section 4.3).
//!
//! Guarantees: entity tags are compared weakly, dates only where there is no tag. Must not: send anything.

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::dates::date;

/// The fields with which a client makes its request depend on what it has. An answer to one is an answer to nobody else.
const CLIENTS: [HeaderName; 4] = [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE];

/// What a 304 does not change: it describes bytes that it does not have.
const KEPT: [HeaderName; 5] = [
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_RANGE,
    CONNECTION,
    TRANSFER_ENCODING,
];

/// What a client's conditions ask of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The request can be answered from what is kept.
    Cacheable,
    /// The request guards against changes that only the origin can know of.
    OriginOnly,
}

impl Condition {
    /// That of a request.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(IF_MATCH) || headers.contains_key(IF_UNMODIFIED_SINCE) {
            Self::OriginOnly
        } else {
            Self::Cacheable
        }
    }
}

/// Whether the client has what is kept already: the answer is 304 (RFC 9110, section 13.2.2). Where the origin does not say when
/// something last changed, it did not change after it was sent (RFC 9111, section 4.3.2).
#[must_use]
pub fn is_not_modified(request: &HeaderMap, kept: &HeaderMap) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let tag = kept.get(ETAG).map(HeaderValue::as_bytes);
        let mut asked = request.get_all(IF_NONE_MATCH).iter();
        return asked.any(|list| names(list.as_bytes(), tag));
    }
    let changed = if kept.contains_key(LAST_MODIFIED) {
        date(kept, &LAST_MODIFIED)
    } else {
        date(kept, &DATE)
    };
    match (date(request, &IF_MODIFIED_SINCE), changed) {
        (Some(since), Some(changed)) => changed <= since,
        _ => false,
    }
}

/// Whether a list of entity tags names `tag`; `*` names whatever there is.
fn names(list: &[u8], tag: Option<&[u8]>) -> bool {
    let mut rest = list;
    while let Some(start) = rest.iter().position(|byte| !b" \t,".contains(byte)) {
        rest = &rest[start..];
        if rest[0] == b'*' {
            return true;
        }
        let opening = if rest.starts_with(b"W/\"") { 3 } else { 1 };
        let Some(length) = rest
            .get(opening..)
            .and_then(|inner| inner.iter().position(|byte| *byte == b'"'))
        else {
            // Unquoted, as some write it: to its comma.
            return tag.is_some_and(|tag| opaque(tag) == rest.trim_ascii());
        };
        let (one, after) = rest.split_at(opening + length + 1);
        if tag.is_some_and(|tag| opaque(tag) == opaque(one)) {
            return true;
        }
        rest = after;
    }
    false
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Makes of a client's request one whose answer serves all: without its own conditions, and with those that ask whether what is
/// kept, if anything is, still holds.
pub fn validators(request: &mut HeaderMap, kept: Option<&HeaderMap>) {
    for name in &CLIENTS {
        request.remove(name);
    }
    let Some(kept) = kept else { return };
    if let Some(tag) = kept.get(ETAG) {
        request.insert(IF_NONE_MATCH, tag.clone());
    }
    if let Some(modified) = kept.get(LAST_MODIFIED) {
        request.insert(IF_MODIFIED_SINCE, modified.clone());
    }
}

/// Whether a 304 speaks of what is kept: one with the tag of something else must change nothing (RFC 9111, section 4.3.4).
/// Compared weakly: an origin that compresses weakens the tag of what it sends, and not that of its 304.
#[must_use]
pub fn concerns(said: &HeaderMap, kept: &HeaderMap) -> bool {
    match (said.get(ETAG), kept.get(ETAG)) {
        (Some(said), Some(kept)) => opaque(said.as_bytes()) == opaque(kept.as_bytes()),
        // A kept answer without a tag was asked for by its date.
        _ => true,
    }
}

/// Brings what is kept up to date with what a 304 says (RFC 9111, section 3.2).
pub fn freshen(kept: &mut HeaderMap, said: &HeaderMap) {
    for name in said.keys().filter(|name| !KEPT.contains(name)) {
        kept.remove(name);
        for value in said.get_all(name) {
            kept.append(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    #[test]
    fn a_client_that_has_it_is_told_so() {
        let kept = headers(&[("etag", "W/\"a,b\""), ("last-modified", EARLIER)]);
        for (expected, pairs) in [
            (true, &[("if-none-match", "\"a,b\"")][..]),
            (true, &[("if-none-match", "\"x\", W/\"a,b\"")]),
            (true, &[("if-none-match", "*")]),
            (
                true,
                &[("if-none-match", "\"x\""), ("if-none-match", "\"a,b\"")],
            ),
            (false, &[("if-none-match", "\"a\", \"b\"")]),
            (
                false,
                &[("if-none-match", "\"x\""), ("if-modified-since", LATER)],
            ),
            (true, &[("if-modified-since", EARLIER)]),
            (true, &[("if-modified-since", LATER)]),
            (false, &[("if-modified-since", "yesterday")]),
            (false, &[]),
        ] {
            assert_eq!(
                is_not_modified(&headers(pairs), &kept),
                expected,
                "{pairs:?}"
            );
        }
        let sent = |pairs| is_not_modified(&headers(pairs), &headers(&[("date", EARLIER)]));
        assert!(sent(&[("if-modified-since", EARLIER)]) && sent(&[("if-modified-since", LATER)]));
        let dated = headers(&[("date", EARLIER), ("last-modified", "once")]);
        assert!(!is_not_modified(
            &headers(&[("if-modified-since", LATER)]),
            &dated
        ));
        let older = headers(&[("if-modified-since", EARLIER)]);
        assert!(!is_not_modified(
            &older,
            &headers(&[("last-modified", LATER)])
        ));
        assert!(!is_not_modified(
            &headers(&[("if-none-match", "\"a\"")]),
            &headers(&[])
        ));
    }

    #[test]
    fn a_fill_asks_for_what_serves_all() {
        let mut request = headers(&[
            ("range", "bytes=0-1"),
            ("if-none-match", "\"client\""),
            ("accept", "x"),
        ]);
        validators(&mut request, None);
        assert_eq!(request, headers(&[("accept", "x")]));
        validators(&mut request, Some(&headers(&[("etag", "\"kept\"")])));
        assert_eq!(request[IF_NONE_MATCH], "\"kept\"");
    }

    #[test]
    fn a_304_of_something_else_is_told_by_its_tag() {
        let tag = |value| headers(&[("etag", value)]);
        for (expected, said, kept) in [
            (true, tag("\"a\""), tag("\"a\"")),
            (true, tag("\"a\""), tag("W/\"a\"")),
            (false, tag("\"b\""), tag("\"a\"")),
            (true, headers(&[]), tag("\"a\"")),
            (true, tag("\"a\""), headers(&[])),
        ] {
            assert_eq!(concerns(&said, &kept), expected, "{said:?} {kept:?}");
        }
    }

    #[test]
    fn a_304_changes_what_is_said_and_not_what_is_held() {
        let mut kept = headers(&[
            ("x", "1"),
            ("x", "2"),
            ("content-encoding", "br"),
            ("y", "1"),
        ]);
        freshen(
            &mut kept,
            &headers(&[("x", "3"), ("content-encoding", "gzip"), ("etag", "\"n\"")]),
        );
        let expected = headers(&[
            ("content-encoding", "br"),
            ("y", "1"),
            ("x", "3"),
            ("etag", "\"n\""),
        ]);
        assert_eq!(kept, expected);
    }
}
