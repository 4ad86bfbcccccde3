//! What a path means: to the routes and to the upstream it means the same, because what is matched is what is forwarded.
//!
//! Guarantees: a path in its normal form, which nearly all have, is left alone and not copied. An octet that needs no encoding is
//! decoded (RFC 3986, section 6.2.2.2); dot segments, slashes in a row and encoded slashes are what the configuration makes of
//! them. Must not: touch a query, or decode anything else: `%2F` and `/` are different paths.

use http::Uri;
use http::uri::PathAndQuery;

use super::settings::{DotSegments, DoubleSlashes, Strictness};

const DOTS: &str = "The path holds dot segments, which servers resolve differently.";
const SLASHES: &str = "The path holds slashes in a row, which servers read differently.";
const ENCODED: &str = "The path holds an encoded slash, which servers read differently.";

/// The normal form of `path` where it is another one.
///
/// # Errors
/// Why it is refused.
pub(super) fn normal(path: &str, rules: &Strictness) -> Result<Option<String>, &'static str> {
    if is_normal(path) {
        return Ok(None);
    }
    let bytes = path.as_bytes();
    let double = memchr::memmem::find(bytes, b"//").is_some();
    if rules.dot_segments == DotSegments::Reject && has_dot_segment(path) {
        return Err(DOTS);
    }
    if double && rules.double_slashes == DoubleSlashes::Reject {
        return Err(SLASHES);
    }
    if rules.refuse_encoded_slashes && has_encoded_slash(bytes) {
        return Err(ENCODED);
    }
    // What a dot means is the upstream's to say, so how it is written is too.
    let mut normal = unescaped(path, rules.dot_segments != DotSegments::Forward);
    if double && rules.double_slashes == DoubleSlashes::Merge {
        normal = merged(&normal);
    }
    if rules.dot_segments == DotSegments::Resolve {
        normal = resolved(&normal);
        // Hidden behind an encoded slash, a backslash or a parameter there is one that only some resolve.
        if has_dot_segment(&normal) {
            return Err(DOTS);
        }
    }
    Ok((normal != path).then_some(normal))
}

/// Whether nothing in `path` could have another form. A loop of its own: on paths as short as most are, a search costs more to set
/// up than the whole of this.
fn is_normal(path: &str) -> bool {
    let mut before = 0;
    path.bytes().all(|byte| {
        let doubtful =
            matches!(byte, b'%' | b'\\') || (before == b'/' && matches!(byte, b'/' | b'.'));
        before = byte;
        !doubtful
    })
}

/// `uri` with another path.
pub(super) fn replaced(uri: &Uri, path: &str) -> Option<Uri> {
    let target = match uri.query() {
        Some(query) => [path, "?", query].concat(),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

/// Octets that need no encoding, decoded; the dot only if `dots`.
fn unescaped(path: &str, dots: bool) -> String {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, encoded) = rest.split_at(at);
        normal.push_str(before);
        match decoded(encoded.as_bytes()) {
            Some((byte, _))
                if encoded.len() >= 3 && is_unreserved(byte, dots) && !goes_on(&normal, byte) =>
            {
                normal.push(char::from(byte));
                rest = &encoded[3..];
            }
            _ => {
                normal.push('%');
                rest = &encoded[1..];
            }
        }
    }
    normal.push_str(rest);
    normal
}

/// Whether `byte` would go on with an octet where `before` ends in a percent sign that began none: `%%32e` is not `%2e`.
fn goes_on(before: &str, byte: u8) -> bool {
    let is_begun = match before.as_bytes() {
        [.., b'%'] => true,
        [.., b'%', digit] => digit.is_ascii_hexdigit(),
        _ => false,
    };
    is_begun && byte.is_ascii_hexdigit()
}

const fn is_unreserved(byte: u8, dots: bool) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || (dots && byte == b'.')
}

fn merged(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for sign in path.chars() {
        if sign != '/' || !merged.ends_with('/') {
            merged.push(sign);
        }
    }
    merged
}

/// RFC 3986, section 5.2.4.
fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

fn has_encoded_slash(path: &[u8]) -> bool {
    memchr::memmem::find(path, b"%2f").is_some() || memchr::memmem::find(path, b"%2F").is_some()
}

/// Whether a server that decodes and resolves the path would end up elsewhere: a segment that is `.` or `..`, plain or encoded,
/// between slashes or backslashes, plain or encoded. A path parameter (`..;x`) does not hide one.
fn has_dot_segment(path: &str) -> bool {
    // Most paths hold nothing that could hide or be one.
    if is_normal(path) {
        return false;
    }
    let mut segment = Segment::default();
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = decoded(rest) {
        rest = after;
        match byte {
            0 => return true,
            b'/' | b'\\' => {
                if segment.is_dots() {
                    return true;
                }
                segment = Segment::default();
            }
            b'.' if !segment.parameters => segment.dots += 1,
            b';' => segment.parameters = true,
            _ if !segment.parameters => segment.others = true,
            _ => {}
        }
    }
    segment.is_dots()
}

#[derive(Default)]
struct Segment {
    dots: usize,
    others: bool,
    parameters: bool,
}

impl Segment {
    const fn is_dots(&self) -> bool {
        !self.others && matches!(self.dots, 1 | 2)
    }
}

/// The first byte of what `path` means, and the rest of it. Decoded once: `%252e` is no dot to anybody who decodes once.
fn decoded(path: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    if let [b'%', high, low, rest @ ..] = path
        && let (Some(high), Some(low)) = (digit(high), digit(low))
    {
        return Some((u8::try_from(high * 16 + low).unwrap_or_default(), rest));
    }
    path.split_first().map(|(byte, rest)| (*byte, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_segment_is_found_however_it_is_written() {
        for path in [
            "/..",
            "/.",
            "/a/../b",
            "/a/./b",
            "/a/%2e%2e/b",
            "/a/.%2E",
            "/a%2f..%2fb",
            "/a/..;x=1/b",
            "/a\\..\\b",
            "/a%5C..",
            "/%2e",
            "/a%00b",
            "/../",
        ] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in [
            "/",
            "/a",
            "/a.b/c..d",
            "/...",
            "/.well-known/x",
            "/a//b",
            "/a%2Fb",
            "/%252e%252e/",
            "/a%2",
            "/..a",
            "/;..",
        ] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }

    fn rules(dots: DotSegments, slashes: DoubleSlashes) -> Strictness {
        Strictness {
            underscores: crate::proxy::settings::Underscores::Drop,
            dot_segments: dots,
            double_slashes: slashes,
            refuse_encoded_slashes: false,
            max_body_bytes: 0,
            body_timeout: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn what_needs_no_encoding_is_decoded_and_nothing_else() {
        let usual = rules(DotSegments::Reject, DoubleSlashes::Forward);
        let normal = |path| normal(path, &usual).unwrap();
        assert_eq!(normal("/%61dmin/%7Ex").as_deref(), Some("/admin/~x"));
        for same in [
            "/", "/a%2Fb", "/a//b", "/%252e", "/%C3%A4", "/a%2", "/%", "/a.b",
        ] {
            assert_eq!(normal(same), None, "{same}");
        }
        let forward = rules(DotSegments::Forward, DoubleSlashes::Forward);
        assert_eq!(super::normal("/%2e%2e/x", &forward), Ok(None));
    }

    #[test]
    fn what_was_decoded_is_no_part_of_another_octet() {
        let usual = rules(DotSegments::Reject, DoubleSlashes::Forward);
        for (path, kept) in [
            ("/%%32e%%32e/x", None),
            ("/%2%65/x", None),
            ("/%%32%65", Some("/%%32e")),
            ("/%%67", Some("/%g")),
            ("/%2F%61", Some("/%2Fa")),
        ] {
            let normal = normal(path, &usual).unwrap();
            assert_eq!(normal.as_deref(), kept, "{path}");
        }
    }

    #[test]
    fn dots_are_resolved_and_slashes_merged_where_that_is_asked_for() {
        let rules = rules(DotSegments::Resolve, DoubleSlashes::Merge);
        for (path, expected) in [
            ("/a/../b", "/b"),
            ("/a/./b/.", "/a/b/"),
            ("/../../x", "/x"),
            ("/a/%2e%2e", "/"),
            ("/a//../b", "/b"),
            ("//a///b//", "/a/b/"),
        ] {
            assert_eq!(
                normal(path, &rules).unwrap().as_deref(),
                Some(expected),
                "{path}"
            );
        }
        for hidden in ["/a%2f..%2fb", "/a\\..\\b", "/a/..;x/b", "/a%00"] {
            assert_eq!(normal(hidden, &rules), Err(DOTS), "{hidden}");
        }
    }

    #[test]
    fn what_servers_read_differently_can_be_refused() {
        let mut rules = rules(DotSegments::Reject, DoubleSlashes::Reject);
        rules.refuse_encoded_slashes = true;
        assert_eq!(normal("/a//b", &rules), Err(SLASHES));
        assert_eq!(normal("/a%2Fb", &rules), Err(ENCODED));
        assert_eq!(normal("/a%2fb", &rules), Err(ENCODED));
        assert_eq!(normal("/a/b?", &rules), Ok(None));
    }
}
