//! The head of an answer (RFC 9112, sections 4 to 6).
//!
//! Guarantees: a head has bounds; what it says of the body's end is believed only where it can be read one way. Fields are slices of
//! what was read, not copies. Must not: read, or judge what does not concern the end of a message.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use super::LineError;

/// The largest head, in bytes.
pub(super) const MAX_HEAD: usize = 256 * 1024;
/// The most fields of one.
const MAX_FIELDS: usize = 100;

/// Where the parts of a head lie.
#[derive(Debug, Default)]
pub(super) struct Lines {
    length: usize,
    status: StatusCode,
    version: Version,
    reason: Option<(usize, usize)>,
    fields: Vec<[usize; 4]>,
}

/// A head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    /// Only where it is not the usual one.
    pub(super) reason: Option<Bytes>,
    /// Whether the other side says that it takes another request.
    pub(super) keeps: bool,
}

/// Where a body ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After so many bytes.
    Length(u64),
    /// With its last chunk.
    Chunked,
    /// With the connection.
    Close,
}

impl Lines {
    /// Finds a head at the beginning of `bytes`: its length, or nothing as long as it is not whole.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, LineError> {
        let mut fields = [const { std::mem::MaybeUninit::uninit() }; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let parsed = config.parse_response_with_uninit_headers(&mut head, bytes, &mut fields);
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(LineError::TooLarge);
            }
            Err(error) => return Err(LineError::Malformed(error)),
        };
        let status = head.code.map(StatusCode::from_u16);
        let Some(Ok(status)) = status else {
            return Err(LineError::Malformed(httparse::Error::Status));
        };
        let begin = bytes.as_ptr().addr();
        // What is empty need not lie there.
        let place = |part: &[u8]| match part.len() {
            0 => (0, 0),
            length => {
                let from = part.as_ptr().addr() - begin;
                (from, from + length)
            }
        };
        self.length = length;
        self.status = status;
        self.version = match head.version {
            Some(1) => Version::HTTP_11,
            _ => Version::HTTP_10,
        };
        let reason = head.reason.unwrap_or_default();
        let is_usual = status.canonical_reason() == Some(reason);
        self.reason = (!is_usual).then(|| place(reason.as_bytes()));
        self.fields.clear();
        self.fields.extend(head.headers.iter().map(|field| {
            let (name, value) = (place(field.name.as_bytes()), place(field.value));
            [name.0, name.1, value.0, value.1]
        }));
        Ok(Some(length))
    }

    /// The head that was found, of its bytes; its fields are put into `headers`, which is empty.
    pub(super) fn head(&self, bytes: &Bytes, mut headers: HeaderMap) -> Result<Head, LineError> {
        let malformed = LineError::Malformed(httparse::Error::HeaderName);
        headers.reserve(self.fields.len());
        let mut said = Said::default();
        for &[name, name_end, value, value_end] in &self.fields {
            let Some(Ok(name)) = bytes.get(name..name_end).map(HeaderName::from_bytes) else {
                return Err(malformed);
            };
            let Ok(value) = HeaderValue::from_maybe_shared(bytes.slice(value..value_end)) else {
                return Err(malformed);
            };
            if name == CONNECTION {
                said.hear(&value);
            }
            headers.append(name, value);
        }
        Ok(Head {
            status: self.status,
            version: self.version,
            headers,
            reason: self.reason.map(|(from, to)| bytes.slice(from..to)),
            keeps: !said.close && (said.keep_alive || self.version == Version::HTTP_11),
        })
    }
}

/// What `Connection` says (RFC 9112, section 9.3).
#[derive(Default)]
struct Said {
    close: bool,
    keep_alive: bool,
}

impl Said {
    fn hear(&mut self, value: &HeaderValue) {
        for option in value.as_bytes().split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
}

impl Head {
    /// Whether it comes before the answer (RFC 9110, section 15.2).
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// Where the body of the answer to a request of `method` ends.
    pub(super) fn end(&self, method: &Method) -> Result<End, LineError> {
        let has_none = matches!(
            self.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SWITCHING_PROTOCOLS
        );
        if has_none || *method == Method::HEAD {
            return Ok(End::Length(0));
        }
        let mut codings = self.headers.get_all(TRANSFER_ENCODING).iter();
        if let Some(last) = codings.next_back() {
            let last = last.as_bytes().rsplit(|byte| *byte == b',').next();
            let is_chunked =
                last.is_some_and(|one| one.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            return match (self.version, is_chunked) {
                (Version::HTTP_10, _) => Err(LineError::Framing),
                (_, true) => Ok(End::Chunked),
                (_, false) => Ok(End::Close),
            };
        }
        let mut lengths = self.headers.get_all(CONTENT_LENGTH).iter();
        let Some(length) = lengths.next() else {
            return Ok(End::Close);
        };
        if lengths.any(|other| other != length) {
            return Err(LineError::Framing);
        }
        number(length.as_bytes())
            .map(End::Length)
            .ok_or(LineError::Framing)
    }
}

/// RFC 9110, section 8.6: digits and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let fold = |sum: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    let sum = digits.iter().try_fold(0, fold);
    sum.filter(|_| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Head, LineError> {
        let mut lines = Lines::default();
        let length = lines.find(text.as_bytes())?.unwrap();
        let bytes = Bytes::copy_from_slice(&text.as_bytes()[..length]);
        lines.head(&bytes, HeaderMap::new())
    }

    fn end(text: &str) -> Result<End, LineError> {
        read(text)?.end(&Method::GET)
    }

    #[test]
    fn a_head_is_whole_or_not_there() {
        let text = "HTTP/1.1 299 As it likes\r\nA-b: c\r\na-b:  d \r\n\r\nrest";
        for count in 0..text.len() - 4 {
            let found = Lines::default().find(&text.as_bytes()[..count]);
            assert_eq!(found.unwrap(), None, "{count}");
        }
        let head = read(text).unwrap();
        assert_eq!(head.status, 299);
        assert_eq!(head.reason.unwrap(), "As it likes");
        let values: Vec<_> = head.headers.get_all("a-b").iter().collect();
        assert_eq!(values, ["c", "d"]);
        assert!(read("HTTP/1.1 200 OK\r\n\r\n").unwrap().reason.is_none());
    }

    #[test]
    fn a_reason_that_is_no_text_is_none() {
        let head = read("HTTP/1.1 299 \u{e9}\r\nx: \r\n\r\n").unwrap();
        assert_eq!(head.reason.unwrap(), "");
        assert_eq!(head.headers["x"], "");
    }

    #[test]
    fn a_head_has_bounds() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(MAX_HEAD));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
        for text in [endless, many] {
            let found = Lines::default().find(text.as_bytes());
            assert!(matches!(found, Err(LineError::TooLarge)), "{found:?}");
        }
    }

    #[test]
    fn the_end_of_a_body_is_told_one_way() {
        let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        for (fields, expected) in [
            ("", End::Close),
            ("content-length: 12\r\n", End::Length(12)),
            ("content-length: 2\r\ncontent-length: 2\r\n", End::Length(2)),
            ("transfer-encoding: chunked\r\n", End::Chunked),
            ("transfer-encoding: gzip, Chunked\r\n", End::Chunked),
            (
                "transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n",
                End::Close,
            ),
        ] {
            assert_eq!(end(&head(fields)).unwrap(), expected, "{fields}");
        }
        for fields in [
            "content-length: 2\r\ncontent-length: 3\r\n",
            "content-length: +2\r\n",
            "content-length: \r\n",
            "content-length: 2, 2\r\n",
            "content-length: 99999999999999999999\r\n",
        ] {
            let end = end(&head(fields));
            assert!(matches!(end, Err(LineError::Framing)), "{fields}: {end:?}");
        }
        let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(matches!(end(old), Err(LineError::Framing)));
    }

    #[test]
    fn what_has_no_body_has_none_whatever_it_says() {
        let fields = "content-length: 5\r\n";
        for status in ["204 No Content", "304 Not Modified"] {
            let head = format!("HTTP/1.1 {status}\r\n{fields}\r\n");
            assert_eq!(end(&head).unwrap(), End::Length(0));
        }
        let head = read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).unwrap();
        assert_eq!(head.end(&Method::HEAD).unwrap(), End::Length(0));
    }

    #[test]
    fn a_connection_is_kept_if_both_sides_say_so() {
        let keeps = |version: &str, connection: &str| {
            let head = format!("HTTP/{version} 200 OK\r\n{connection}\r\n");
            read(&head).unwrap().keeps
        };
        assert!(keeps("1.1", ""));
        assert!(!keeps("1.0", ""));
        assert!(keeps("1.0", "connection: Keep-Alive\r\n"));
        assert!(!keeps("1.1", "connection: x, Close\r\n"));
        let both = "connection: close\r\nconnection: keep-alive\r\n";
        assert!(!keeps("1.1", both));
        assert!(!keeps("1.0", both));
    }
}
