//! Answers made smaller on their way: which, and in which coding (RFC 9110, sections 8.4 and 12.5.3).
//!
//! Guarantees: nothing is compressed that its sender says must not be transformed (RFC 9110, section 7.7), that is compressed
//! already, that is a part of something, or whose digest was sent along. What is compressed loses its strong validator (section
//! 8.8.1) and its length, and says in `Vary` that it depends on `Accept-Encoding`. Must not: collect a body.

mod accept;
mod encoder;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderMap,
};
use http::request::Parts as Head;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};

pub(super) use encoder::Encoder;

use super::body::Body;
use super::cors::vary;
use super::settings::{Coding, CompressionSettings};

/// Fields that hold a digest of the content as it was (RFC 9530, and RFC 3230 before it).
static DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// The compression of one route.
#[derive(Debug)]
pub(super) struct Compression(CompressionSettings);

/// What a request takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The coding it likes best of those there are; none: as it is.
    coding: Option<Coding>,
    is_head: bool,
}

impl Compression {
    pub(super) fn new(settings: &CompressionSettings) -> Self {
        Self(settings.clone())
    }

    /// What a request takes.
    pub(super) fn wanted(&self, head: &Head) -> Wanted {
        let coding = || accept::best(&head.headers, &self.0.codings);
        Wanted {
            coding: (!no_transform(&head.headers)).then(coding).flatten(),
            is_head: head.method == Method::HEAD,
        }
    }

    /// The answer as the request takes it.
    pub(super) fn apply(&self, wanted: Wanted, mut response: Response<Body>) -> Response<Body> {
        if !self.suits(&response) {
            return response;
        }
        let headers = response.headers_mut();
        vary(headers, "accept-encoding");
        let Some(coding) = wanted.coding else {
            return response;
        };
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        headers.remove(CONTENT_LENGTH);
        headers.remove(ACCEPT_RANGES);
        weaken(headers);
        // RFC 9110, section 9.3.2: HEAD is told what GET would be, and gets nothing to compress.
        if wanted.is_head {
            return response;
        }
        let encoder = Encoder::new(coding, self.0.level);
        response.map(|body| body.encoded(encoder))
    }

    fn suits(&self, response: &Response<Body>) -> bool {
        let status = response.status();
        let headers = response.headers();
        let bare = status.is_informational()
            || matches!(
                status,
                StatusCode::NO_CONTENT
                    | StatusCode::RESET_CONTENT
                    | StatusCode::PARTIAL_CONTENT
                    | StatusCode::NOT_MODIFIED
            );
        !bare
            && self.is_of_type(headers)
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && length(headers).is_none_or(|length| length >= self.0.minimum)
            && !no_transform(headers)
            && !DIGESTS.iter().any(|name| headers.contains_key(name))
    }

    fn is_of_type(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(CONTENT_TYPE).and_then(|one| one.to_str().ok()) else {
            return false;
        };
        let kind = value.split(';').next().unwrap_or_default().trim();
        self.0
            .types
            .iter()
            .any(|known| match known.strip_suffix('*') {
                Some(start) => kind
                    .get(..start.len())
                    .is_some_and(|begins| begins.eq_ignore_ascii_case(start)),
                None => kind.eq_ignore_ascii_case(known),
            })
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// RFC 9110, section 7.7.
fn no_transform(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|one| one.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

/// Two codings of one content are no longer the same octets.
fn weaken(headers: &mut HeaderMap) {
    let Some(strong) = headers
        .get(ETAG)
        .filter(|tag| !tag.as_bytes().starts_with(b"W/"))
    else {
        return;
    };
    let weak = [b"W/", strong.as_bytes()].concat();
    match HeaderValue::from_bytes(&weak) {
        Ok(weak) => headers.insert(ETAG, weak),
        Err(_) => headers.remove(ETAG),
    };
}
