//! Fields of one hop, RFC 9110, section 7.6.1: they never pass it.
//!
//! Guarantees: one pass over the names; most requests lose at most one field. Must not: add any.

use http::HeaderName;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::{CLIENT_CERT, CLIENT_CERT_CHAIN, strip_origin};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

const OPTIONS: [&[u8]; 2] = [b"keep-alive", b"close"];

/// Fields that never pass this hop. `Trailer` stays: it describes the message, and trailers are forwarded.
pub(super) static HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    CLIENT_CERT,
    CLIENT_CERT_CHAIN,
];

/// What a trailer section must not hold: it would change how the message is framed, routed or believed, too late to be checked.
static NOT_IN_TRAILERS: [HeaderName; 3] = [HOST, CONTENT_LENGTH, CONTENT_TYPE];

/// Removes what must not come after the body: the fields of this hop and those that only make sense before it.
pub(in crate::proxy) fn strip_trailers(trailers: &mut HeaderMap) {
    strip_hop_by_hop(trailers);
    for name in &NOT_IN_TRAILERS {
        trailers.remove(name);
    }
    strip_origin(trailers);
}

/// Whether a client takes trailers.
pub(in crate::proxy) fn takes_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Removes the fields of this hop from a message.
pub(in crate::proxy) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let mut present = [false; HOP_BY_HOP.len()];
    // Most names are told apart from these by their length.
    for name in headers
        .keys()
        .filter(|name| matches!(name.as_str().len(), 2 | 7 | 10 | 11 | 16..=19))
    {
        for (seen, hop) in present.iter_mut().zip(&HOP_BY_HOP) {
            *seen |= name == hop;
        }
    }
    if present[0] {
        strip_nominated(headers);
    }
    for (seen, name) in present.iter().zip(&HOP_BY_HOP) {
        if *seen {
            headers.remove(name);
        }
    }
}

/// Removes what `Connection` names. Fields without which the message would be another one stay, whoever asks.
fn strip_nominated(headers: &mut HeaderMap) {
    let nominated: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        // Options of the connection and no fields: nearly all there ever is, and not worth making a name of.
        .filter(|name| !OPTIONS.iter().any(|one| name.eq_ignore_ascii_case(one)))
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(|name| !matches!(*name, HOST | CONTENT_LENGTH | TRAILER))
        // Of names without end those that are there are few.
        .filter(|name| headers.contains_key(name))
        .collect();
    for name in nominated {
        headers.remove(name);
    }
}
