//! What HTTP/2 says in another way: a request's head as HTTP/1.1 would have it, so that every later step reads one language.
//!
//! Guarantees: the authority stands in `Host` and agrees with it, there is one `Cookie`, and no value has an edge that a later
//! hop could trim (RFC 9113, section 8). Must not: judge what is the same in both versions, or what the parser has refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, SEC_WEBSOCKET_KEY, UPGRADE,
};
use http::request::Parts as Head;
use http::{HeaderValue, Method};
use hyper::ext::Protocol;

use super::refusal::Refusal;

const WEBSOCKET: &str = "websocket";

/// Checks and translates the head of an HTTP/2 request.
pub(super) fn request(head: &mut Head) -> Result<(), Refusal> {
    if head.headers.values().any(has_blank_edge) {
        return Err(Refusal::BadRequest(
            "A header's value begins or ends with a blank.",
        ));
    }
    length(&head.headers)?;
    authority(head)?;
    cookies(&mut head.headers);
    if head.method == Method::CONNECT {
        switch(head)?;
    }
    Ok(())
}

/// RFC 8441, section 5: a WebSocket asked for by CONNECT is one asked for by GET and Upgrade, with a key that its own hop makes.
fn switch(head: &mut Head) -> Result<(), Refusal> {
    let protocol = head.extensions.get::<Protocol>().map(Protocol::as_str);
    if protocol != Some(WEBSOCKET) {
        return Err(Refusal::NotImplemented(
            "The gateway opens no tunnels but for WebSocket.",
        ));
    }
    head.method = Method::GET;
    let key = STANDARD.encode(fastrand::u128(..).to_ne_bytes());
    let key = HeaderValue::try_from(key).unwrap_or_else(|_| HeaderValue::from_static(""));
    let headers = &mut head.headers;
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_KEY, key);
    Ok(())
}

/// Whether a request of HTTP/2 asked for another protocol; [`request`] has translated it.
pub(super) fn is_switch(head: &Head) -> bool {
    head.extensions.get::<Protocol>().is_some()
}

/// RFC 9113, section 8.2.1.
fn has_blank_edge(value: &HeaderValue) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = value.as_bytes();
    is_blank(bytes.first()) || is_blank(bytes.last())
}

/// RFC 9113, section 8.1.1; the parser holds the body to it, if it is one number.
fn length(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(());
    };
    if lengths.next().is_some() {
        return Err(Refusal::BadRequest(
            "There is more than one Content-Length.",
        ));
    }
    let digits = length.as_bytes().iter().all(u8::is_ascii_digit);
    if !digits || !(1..=18).contains(&length.len()) {
        return Err(Refusal::BadRequest("Content-Length is not a number."));
    }
    Ok(())
}

/// RFC 9113, section 8.3.1: the authority is the host; a `Host` beside it says the same or is a trick.
fn authority(head: &mut Head) -> Result<(), Refusal> {
    let Some(authority) = head.uri.authority() else {
        return match head.headers.contains_key(HOST) {
            true => Ok(()),
            false => Err(Refusal::BadRequest("The request names no authority.")),
        };
    };
    let authority = authority.as_str();
    let differs = |host: &HeaderValue| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    if head.headers.get_all(HOST).iter().any(differs) {
        return Err(Refusal::BadRequest("Host and authority differ."));
    }
    let host = HeaderValue::try_from(authority);
    let host = host.map_err(|_| Refusal::BadRequest("The authority is no host."))?;
    head.headers.insert(HOST, host);
    Ok(())
}

/// RFC 9113, section 8.2.3: crumbs of one `Cookie` become one again before a hop that is not HTTP/2.
fn cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs = headers.get_all(COOKIE).iter();
    let whole: Vec<_> = crumbs.map(HeaderValue::as_bytes).collect();
    if let Ok(whole) = HeaderValue::from_bytes(&whole.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}
