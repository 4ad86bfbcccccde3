//! `WWW-Authenticate`: what a client must show (RFC 9110, section 11.6.1; RFC 6750, section 3; RFC 7617, section 2).
//!
//! Guarantees: a header value, whatever is configured: names are letters, digits, `-`, `_` and `.`. Must not: say whether a user exists.

use http::HeaderValue;

use super::Why;
use crate::proxy::settings::{ApiKeysSettings, AuthKind};

/// The challenge of one way.
pub(super) fn challenge(name: &str, kind: &AuthKind) -> HeaderValue {
    let text = match kind {
        AuthKind::ApiKeys(ApiKeysSettings { header, .. }) => {
            format!("ApiKey realm=\"{name}\", header=\"{header}\"")
        }
        AuthKind::Basic(_) => format!("Basic realm=\"{name}\", charset=\"UTF-8\""),
        _ => format!("Bearer realm=\"{name}\""),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}

/// The challenge with what was wrong: RFC 6750, section 3.1.
pub(super) fn with_error(challenge: &HeaderValue, why: Why) -> HeaderValue {
    let error = match why {
        Why::Invalid => "error=\"invalid_token\"",
        Why::Expired => "error=\"invalid_token\", error_description=\"The token expired\"",
        Why::Insufficient => "error=\"insufficient_scope\"",
        Why::Ambiguous => "error=\"invalid_request\"",
    };
    let text = [challenge.as_bytes(), b", ", error.as_bytes()].concat();
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| challenge.clone())
}
