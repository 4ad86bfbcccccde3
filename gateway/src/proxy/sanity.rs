//! Whether a request that parses is one that can be forwarded, and whether an upstream's answer can be passed on.
//!
//! Guarantees: what passes has one host, one target and one meaning (RFC 9112, sections 3 and 6; RFC 9110, sections 7 and 10).
//! Must not: do I/O, or look at what a route configures.

use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderMap, MAX_FORWARDS, TRANSFER_ENCODING};
use http::request::Parts as Head;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, StatusCode, Uri, Version};

use super::http2;
use super::path;
use super::refusal::Refusal;
use super::settings::{Strictness, Underscores};

/// Why a request was refused before it was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It breaks the grammar, or could be read in more than one way; what exactly, for people.
    Malformed(&'static str),
    /// A transfer coding other than `chunked`.
    UnknownCoding,
    /// The target is too long.
    UriTooLong,
    /// The header fields are too many or too large.
    HeadTooLarge,
    /// The head did not come in time.
    SlowHead,
    /// The body is too large.
    BodyTooLarge,
    /// The body did not come in time.
    SlowBody,
}

/// Whom a sane request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A route.
    Route,
    /// The gateway itself: `OPTIONS *`, or the last of `Max-Forwards`.
    Gateway,
}

const UNREADABLE: Refusal = Refusal::BadRequest("The path cannot be read.");

const fn bad<T>(detail: &'static str) -> Result<T, Refusal> {
    Err(Refusal::BadRequest(detail))
}

/// Checks a request's head, and takes off what `strictness` takes off. `length` is what the request says of its body's.
pub(super) fn request(
    head: &mut Head,
    length: Option<u64>,
    strictness: &Strictness,
) -> Result<Asked, Refusal> {
    if head.version == Version::HTTP_2 {
        http2::request(head)?;
    }
    host(head)?;
    underscores(&mut head.headers, strictness.underscores)?;
    if let Some(expect) = head.headers.get(EXPECT)
        && head.version != Version::HTTP_10
        && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(Refusal::Expectation);
    }
    if head.method == Method::CONNECT {
        return Err(Refusal::NotImplemented("The gateway opens no tunnels."));
    }
    target(&head.method, &head.uri)?;
    if head.uri.path() == "*" {
        return Ok(Asked::Gateway);
    }
    fits(length, strictness.max_body_bytes)?;
    if let Some(normal) = path::normal(head.uri.path(), strictness).or_else(bad)? {
        head.uri = path::replaced(&head.uri, &normal).ok_or(UNREADABLE)?;
    }
    forwards(head)
}

/// A body that says that it is too large is refused before any of it is read.
pub(super) fn fits(length: Option<u64>, most: u64) -> Result<(), Refusal> {
    match length {
        Some(length) if most < length => Err(Refusal::Faulty(Fault::BodyTooLarge)),
        _ => Ok(()),
    }
}

/// RFC 9112, section 3.2: HTTP/1.1 names its host, once, and it is a host.
fn host(head: &Head) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => bad("The request names more than one Host."),
        (Some(host), None) if is_host(host) => Ok(()),
        // A target without an authority has an empty Host (RFC 9110, section 7.2); over HTTP that is nobody.
        (Some(_), None) => bad("Host is not a host and a port."),
        (None, _) if head.version == Version::HTTP_11 => bad("The request names no Host."),
        (None, _) => Ok(()),
    }
}

fn is_host(host: &HeaderValue) -> bool {
    is_plain_host(host.as_bytes()) || is_any_host(host)
}

/// A registered name or an IPv4 address, perhaps with a port: nearly all there are, told without a copy.
fn is_plain_host(host: &[u8]) -> bool {
    let mut parts = host.split(|byte| *byte == b':');
    let name = parts.next().unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let is_port =
        |port: &[u8]| (1..=4).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    !name.is_empty()
        && name.iter().all(is_name)
        && parts.next().is_none_or(is_port)
        && parts.next().is_none()
}

fn is_any_host(host: &HeaderValue) -> bool {
    let authority = Authority::try_from(host.as_bytes());
    authority.is_ok_and(|one| is_authority(&one))
}

/// Host and port, and nobody's name or password.
fn is_authority(authority: &Authority) -> bool {
    let text = authority.as_str();
    let port = text
        .strip_prefix(authority.host())
        .map(|port| port.strip_prefix(':'));
    !authority.host().is_empty()
        && !text.contains(['@', ','])
        && match port {
            Some(Some(port)) => port.is_empty() || port.parse::<u16>().is_ok(),
            Some(None) => text.len() == authority.host().len(),
            None => false,
        }
}

/// RFC 9112, section 3.2: which form of target goes with which method.
fn target(method: &Method, uri: &Uri) -> Result<(), Refusal> {
    match (uri.scheme(), uri.authority()) {
        (Some(scheme), Some(authority)) => {
            if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
                return bad("The target's scheme is neither http nor https.");
            }
            if !is_authority(authority) {
                return bad("The target's authority is not a host and a port.");
            }
        }
        (None, Some(_)) => return bad("Only CONNECT has an authority as its target."),
        _ => {}
    }
    match uri.path() {
        "*" if *method == Method::OPTIONS => Ok(()),
        "*" => bad("Only OPTIONS has `*` as its target."),
        path if path.starts_with('/') => Ok(()),
        _ => bad("The target is not a path."),
    }
}

/// RFC 9110, section 7.6.2: TRACE and OPTIONS count the hops they may take.
fn forwards(head: &mut Head) -> Result<Asked, Refusal> {
    if !matches!(head.method, Method::TRACE | Method::OPTIONS) {
        return Ok(Asked::Route);
    }
    let Some(value) = head.headers.get(MAX_FORWARDS) else {
        return Ok(Asked::Route);
    };
    let left = value
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match left.and_then(|text| text.parse::<u32>().ok()) {
        None => bad("Max-Forwards is not a number."),
        Some(0) if head.method == Method::OPTIONS => Ok(Asked::Gateway),
        Some(0) => Err(Refusal::NotImplemented(
            "The gateway does not reflect requests.",
        )),
        Some(left) => {
            head.headers
                .insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            Ok(Asked::Route)
        }
    }
}

/// Gateways behind CGI-like interfaces read `X_Forwarded_For` as `X-Forwarded-For`.
fn underscores(headers: &mut HeaderMap, rule: Underscores) -> Result<(), Refusal> {
    if rule == Underscores::Allow || !headers.keys().any(|name| name.as_str().contains('_')) {
        return Ok(());
    }
    if rule == Underscores::Reject {
        return bad("A header's name holds an underscore.");
    }
    let names: Vec<_> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
    Ok(())
}

/// Checks an upstream's head as it came, before this hop's fields are taken off; `upgraded` says that a switch was asked for.
/// RFC 9112, section 6.3: a response must leave no doubt either where it ends.
pub(super) fn response(
    status: StatusCode,
    headers: &mut HeaderMap,
    upgraded: bool,
) -> Result<(), Refusal> {
    if status == StatusCode::SWITCHING_PROTOCOLS && !upgraded {
        return Err(Refusal::AmbiguousResponse);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if codings.next().is_some()
        || coding.is_some_and(|one| !one.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || (coding.is_some() && headers.contains_key(CONTENT_LENGTH))
    {
        return Err(Refusal::AmbiguousResponse);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(());
    };
    let digits = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    let mut is_repeated = false;
    for other in lengths {
        if other != length {
            return Err(Refusal::AmbiguousResponse);
        }
        is_repeated = true;
    }
    if !digits {
        return Err(Refusal::AmbiguousResponse);
    }
    if status == StatusCode::NO_CONTENT {
        headers.remove(CONTENT_LENGTH);
    } else if is_repeated {
        let length = length.clone();
        headers.insert(CONTENT_LENGTH, length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_host_and_a_port() {
        for host in [
            "a",
            "a.example:80",
            "127.0.0.1:1",
            "[::1]:8080",
            "[::1]",
            "a:",
        ] {
            assert!(is_host(&HeaderValue::from_static(host)), "{host}");
        }
        for host in [
            "", ":80", "a b", "a:x", "a:99999", "u@a", "a/b", "http://a", "a,b", "a:1:2",
        ] {
            assert!(!is_host(&HeaderValue::from_static(host)), "{host}");
        }
    }
}
