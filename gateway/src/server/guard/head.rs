//! The rules a request's head must keep before it is parsed at all: those of RFC 9112 that the parser behind forgives, hides, or
//! would answer without saying why.
//!
//! Guarantees: after a head passed, there is one way to tell where its message ends. Must not: judge what a request asks for.

use std::mem::MaybeUninit;

use super::super::settings::Settings;
use crate::proxy::Fault;

/// More header fields than this cannot be configured.
pub(in super::super) const MOST_HEADERS: usize = 256;

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Limits {
    /// Bytes of the whole head.
    pub(in super::super) head: usize,
    /// Header fields.
    pub(in super::super) headers: usize,
    /// Bytes of the target.
    pub(in super::super) uri: usize,
}

impl Limits {
    pub(in super::super) const fn new(settings: &Settings) -> Self {
        Self {
            head: settings.max_header_bytes,
            headers: settings.max_headers,
            uri: settings.max_uri_bytes,
        }
    }
}

/// A head that passed.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) body: Body,
}

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// Reads the head at the begin of `bytes`; nothing when it is not complete. Up to `searched` no end was found.
pub(super) fn read(bytes: &[u8], searched: usize, limits: &Limits) -> Result<Option<Head>, Fault> {
    let blank = leading_lines(bytes);
    let Some(length) = end(bytes, blank, searched)? else {
        return match bytes.len() {
            length if length <= limits.head => Ok(None),
            _ => Err(too_large(bytes, limits)),
        };
    };
    if length > limits.head {
        return Err(too_large(bytes, limits));
    }
    let head = bytes.get(blank..length).unwrap_or_default();
    let body = check(head, limits)?;
    Ok(Some(Head { length, body }))
}

/// Empty lines before a request line are to be skipped (RFC 9112, section 2.2).
fn leading_lines(bytes: &[u8]) -> usize {
    let lines = bytes.chunks(2).take_while(|pair| *pair == b"\r\n");
    lines.count() * 2
}

/// Where the empty line ends that ends a head. A line feed alone would end a line for one reader and not for another.
fn end(bytes: &[u8], blank: usize, searched: usize) -> Result<Option<usize>, Fault> {
    let from = blank.max(searched.saturating_sub(4));
    for at in memchr::memchr_iter(b'\n', bytes.get(from..).unwrap_or_default()) {
        let at = from + at;
        match at.checked_sub(1).and_then(|before| bytes.get(before)) {
            Some(b'\r') => {}
            _ => {
                return Err(Fault::Malformed(
                    "A line of the head ends without a carriage return.",
                ));
            }
        }
        if bytes.get(at.saturating_sub(3)..at) == Some(b"\r\n\r") {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}

fn too_large(bytes: &[u8], limits: &Limits) -> Fault {
    let target = bytes.splitn(3, |byte| *byte == b' ').nth(1);
    match target {
        Some(target) if target.len() > limits.uri => Fault::UriTooLong,
        _ => Fault::HeadTooLarge,
    }
}

fn check(head: &[u8], limits: &Limits) -> Result<Body, Fault> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let room = headers.len().min(limits.headers);
    let mut request = httparse::Request::new(&mut []);
    let parsed =
        request.parse_with_uninit_headers(head, headers.get_mut(..room).unwrap_or_default());
    match parsed {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => {
            return Err(Fault::Malformed(
                "The head does not end where its lines do.",
            ));
        }
        Err(error) => return Err(fault(error)),
    }
    let target = request.path.unwrap_or_default();
    if target.len() > limits.uri {
        return Err(Fault::UriTooLong);
    }
    if !is_plain_path(target) && (target.contains('#') || target.parse::<http::Uri>().is_err()) {
        return Err(Fault::Malformed("The request target is not a URI."));
    }
    framing(request.version == Some(1), request.headers)
}

/// A path, perhaps with a query, of nothing but what a URI may hold (RFC 3986, section 2): nearly all targets, told without a copy.
fn is_plain_path(target: &str) -> bool {
    let is_plain = |byte: u8| PLAIN[usize::from(byte)];
    target.starts_with('/')
        && target.len() < LONGEST
        && target.bytes().fold(true, |all, byte| all & is_plain(byte))
}

/// A target as long as this is no URI to the parser behind.
const LONGEST: usize = u16::MAX as usize - 1;

/// The octets of paths and queries.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let marks = b"-._~!$&'()*+,;=:@/?%";
    let mut byte = 0;
    while byte < marks.len() {
        plain[marks[byte] as usize] = true;
        byte += 1;
    }
    let mut byte = 0;
    while byte < 128 {
        plain[byte] |= (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    plain
};

/// RFC 9112, sections 6.1 to 6.3.
fn framing(is_http_11: bool, headers: &[httparse::Header<'_>]) -> Result<Body, Fault> {
    let mut length = None;
    let mut coding = false;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let this = content_length(header.value)
                .ok_or(Fault::Malformed("Content-Length is not a number."))?;
            if length.replace(this).is_some() {
                return Err(Fault::Malformed("There is more than one Content-Length."));
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if std::mem::replace(&mut coding, true) {
                return Err(Fault::Malformed(
                    "There is more than one Transfer-Encoding.",
                ));
            }
            if !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err(unknown_coding(header.value));
            }
        }
    }
    match (length, coding) {
        (Some(_), true) => Err(Fault::Malformed(
            "Content-Length and Transfer-Encoding exclude each other.",
        )),
        (None, true) if !is_http_11 => Err(Fault::Malformed("HTTP/1.0 has no Transfer-Encoding.")),
        (None, true) => Ok(Body::Chunked),
        (Some(0) | None, false) => Ok(Body::None),
        (Some(length), false) => Ok(Body::Length(length)),
    }
}

/// Codings that end in `chunked` are framed, but not one that is understood here (RFC 9112, section 6.1).
fn unknown_coding(value: &[u8]) -> Fault {
    let codings: Vec<_> = value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .collect();
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match codings.split_last() {
        Some((last, others))
            if is_chunked(last)
                && !others.iter().any(is_chunked)
                && !others.iter().any(|one| one.is_empty()) =>
        {
            Fault::UnknownCoding
        }
        _ => Fault::Malformed("Transfer-Encoding does not end in one chunked."),
    }
}

/// Digits only: no sign, no list, no blank; 18 of them fit whatever comes.
fn content_length(value: &[u8]) -> Option<u64> {
    let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits)?;
    text.parse().ok()
}

const fn fault(error: httparse::Error) -> Fault {
    Fault::Malformed(match error {
        httparse::Error::TooManyHeaders => return Fault::HeadTooLarge,
        httparse::Error::HeaderName => {
            "A header's name is not a token, or does not stand at the begin of its line."
        }
        httparse::Error::HeaderValue => "A header's value holds a control character.",
        httparse::Error::NewLine => "A carriage return stands alone.",
        httparse::Error::Version => "The version is not HTTP/1.0 or HTTP/1.1.",
        httparse::Error::Token => "The request line is not method, target and version.",
        httparse::Error::Status => "The head is not a request's.",
    })
}
