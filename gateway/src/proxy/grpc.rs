//! gRPC as far as a gateway must know it: what is a call, how long its client waits, and how a refusal is said so that a client
//! of gRPC understands it.
//!
//! Guarantees: a refusal of a call is "Trailers-Only" (gRPC over HTTP/2, "Responses"), with status 200 and everything a refusal has
//! but its body. Must not: look into messages.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts as Head;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use tokio::time::Instant;

use super::body::Body;
use crate::policy::grpc::GrpcStatus;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// gRFC A6, "Pushback": when a client that retries may come back.
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

const MEDIA_TYPE: &[u8] = b"application/grpc";
/// The most digits of a timeout ("TimeoutValue").
const MAX_DIGITS: usize = 8;

/// A request that is a call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// `application/grpc`, with what may follow: its answers are of the same type.
    media_type: HeaderValue,
    /// When its client stops waiting.
    deadline: Option<Instant>,
}

impl Call {
    /// The call that a request is, if it is one. Calls are POST: any other request costs no more than to see that.
    pub(super) fn of(head: &Head, now: Instant) -> Option<Self> {
        if head.method != Method::POST {
            return None;
        }
        let media_type = head.headers.get(CONTENT_TYPE)?;
        if !is_grpc(media_type.as_bytes()) {
            return None;
        }
        let wait = head.headers.get(GRPC_TIMEOUT);
        let wait = wait.and_then(|value| timeout(value.as_bytes()));
        Some(Self {
            media_type: media_type.clone(),
            deadline: wait.and_then(|wait| now.checked_add(wait)),
        })
    }

    /// How much longer its client waits, if it said.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Says a refusal in the words of gRPC.
    pub(super) fn dress(
        &self,
        refused: Response<Body>,
        detail: &str,
        retry_after: Option<u64>,
    ) -> Response<Body> {
        let status = status(refused.status());
        let mut response = refused.map(|_| Body::local(""));
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, self.media_type.clone());
        headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(status.code())));
        if let Ok(message) = HeaderValue::try_from(encoded(detail)) {
            headers.insert(GRPC_MESSAGE, message);
        }
        if let Some(seconds) = retry_after {
            let millis = seconds.saturating_mul(1000);
            headers.insert(PUSHBACK, HeaderValue::from(millis));
        }
        response
    }
}

/// Where the status that a client would guess from HTTP's (grpc/doc/http-grpc-status-mapping.md) says less than is known here, the
/// status is the one that google.rpc.Code pairs with HTTP's: a spent quota is RESOURCE_EXHAUSTED, and 504 DEADLINE_EXCEEDED.
const fn status(http: StatusCode) -> GrpcStatus {
    match http.as_u16() {
        401 => GrpcStatus::UNAUTHENTICATED,
        403 => GrpcStatus::PERMISSION_DENIED,
        404 | 405 | 501 => GrpcStatus::UNIMPLEMENTED,
        408 | 504 => GrpcStatus::DEADLINE_EXCEEDED,
        413 | 429 => GrpcStatus::RESOURCE_EXHAUSTED,
        400 | 414 | 431 => GrpcStatus::INTERNAL,
        502 | 503 => GrpcStatus::UNAVAILABLE,
        _ => GrpcStatus::UNKNOWN,
    }
}

/// `application/grpc`, alone or with a subtype, a parameter, or the `-web` of its cousin.
fn is_grpc(media_type: &[u8]) -> bool {
    let (name, rest) = media_type
        .split_at_checked(MEDIA_TYPE.len())
        .unwrap_or_default();
    name.eq_ignore_ascii_case(MEDIA_TYPE) && matches!(rest.first(), None | Some(b'+' | b';' | b'-'))
}

/// Up to eight digits and a unit.
fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// "Percent-Encoded": what is not printable ASCII, and the sign itself.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (text, millis) in [
            ("1H", 3_600_000),
            ("2M", 120_000),
            ("3S", 3_000),
            ("250m", 250),
            ("4000u", 4),
            ("5000000n", 5),
            ("99999999S", 99_999_999_000),
        ] {
            let expected = Some(Duration::from_millis(millis));
            assert_eq!(timeout(text.as_bytes()), expected, "{text}");
        }
        for text in [
            "",
            "1",
            "m",
            "-1m",
            "+1m",
            "1.5S",
            "100000000S",
            "1s",
            "1 S",
        ] {
            assert_eq!(timeout(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_call_is_told_by_its_media_type() {
        for yes in [
            "application/grpc",
            "Application/gRPC",
            "application/grpc+proto",
            "application/grpc;x=y",
            "application/grpc-web+proto",
        ] {
            assert!(is_grpc(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            "application/json",
            "application/grpcx",
            "application/grp",
        ] {
            assert!(!is_grpc(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn a_message_is_printable() {
        assert_eq!(encoded("100 % of ä\n"), "100 %25 of %C3%A4%0A");
    }
}
