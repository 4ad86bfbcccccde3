//! What operators send, read strictly.
//!
//! Guarantees: bounded before it is read; an unknown key is an error, so that a misspelt one is not ignored. Must not: trust a text
//! that is to be logged: control characters are refused.

use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;

use super::{MOST_BODY, Problem};

/// The longest text in an order.
const MOST_TEXT: usize = 200;
/// The longest URL in one.
const MOST_URL: usize = 3_000;
/// How long a body may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// What an order may say; which of it must be said depends on the order.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Words {
    /// Whose bucket.
    pub(super) client: Option<String>,
    /// Why.
    pub(super) reason: Option<String>,
    /// Who.
    pub(super) author: Option<String>,
    /// The log level.
    pub(super) level: Option<String>,
    /// A route whose kept answers are meant.
    pub(super) route: Option<String>,
    /// A tag, the same.
    pub(super) tag: Option<String>,
    /// A URL, the same.
    pub(super) url: Option<String>,
}

impl Words {
    pub(super) fn required(&self, key: &str, value: Option<&str>) -> Result<String, Problem> {
        match value {
            Some(value) if !value.trim().is_empty() => Ok(value.to_owned()),
            _ => Err(Problem::bad(&format!("the body must say `{key}`"))),
        }
    }

    fn check(mut self) -> Result<Self, Problem> {
        for text in [
            &mut self.client,
            &mut self.reason,
            &mut self.author,
            &mut self.level,
            &mut self.route,
            &mut self.tag,
        ] {
            if let Some(said) = text {
                sane(said)?;
                *text = Some(said.trim())
                    .filter(|said| !said.is_empty())
                    .map(str::to_owned);
            }
        }
        if let Some(url) = &self.url {
            printable(url, MOST_URL)?;
        }
        Ok(self)
    }
}

/// The body of an order.
pub(super) async fn words(request: Request<Incoming>) -> Result<Words, Problem> {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        let detail = "orders are sent as application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = Limited::new(request.into_body(), MOST_BODY).collect();
    let body = match tokio::time::timeout(PATIENCE, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            let detail = format!("a body has at most {MOST_BODY} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, &detail));
        }
        Err(_) => {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come",
            ));
        }
    };
    let unreadable =
        |error: serde_json::Error| Problem::bad(&format!("the body cannot be read: {error}"));
    // A map first: a struct would be read from a list as well.
    let map: serde_json::Map<_, _> = serde_json::from_slice(&body).map_err(unreadable)?;
    let words: Words = serde_json::from_value(map.into()).map_err(unreadable)?;
    words.check()
}

/// A name from the path.
pub(super) fn name(text: &str) -> Result<String, Problem> {
    // `@` stands before the plan of a limit.
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    if text.len() <= MOST_TEXT && text.bytes().all(safe) {
        return Ok(text.to_owned());
    }
    Err(Problem::bad(
        "names are letters, digits, `-`, `_`, `.` and `@`",
    ))
}

/// One parameter of a query; it must be there.
pub(super) fn parameter(query: Option<&str>, key: &str) -> Result<String, Problem> {
    let pairs = query.unwrap_or_default().split('&');
    let mut values = pairs.filter_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key));
    let missing = || Problem::bad(&format!("the query must say `{key}`, once"));
    let (Some((_, value)), None) = (values.next(), values.next()) else {
        return Err(missing());
    };
    let text = percent_decode(value).ok_or_else(missing)?;
    sane(&text)?;
    if text.is_empty() {
        Err(missing())
    } else {
        Ok(text)
    }
}

/// Short, and printable: it will stand in logs and on terminals.
fn sane(text: &str) -> Result<(), Problem> {
    printable(text, MOST_TEXT)
}

fn printable(text: &str, most: usize) -> Result<(), Problem> {
    if text.chars().any(char::is_control) {
        return Err(Problem::bad("control characters are refused"));
    }
    if text.len() > most {
        return Err(Problem::bad(&format!("a text has at most {most} bytes")));
    }
    Ok(())
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_decoded_and_must_be_there_once() {
        let client = |query: &str| parameter(Some(query), "client").ok();
        assert_eq!(
            client("client=2001%3adb8::%2F64").as_deref(),
            Some("2001:db8::/64")
        );
        assert_eq!(client("x=1&client=a+b").as_deref(), Some("a b"));
        for query in [
            "",
            "client=",
            "client=a&client=b",
            "client=%zz",
            "client=%0a",
            "client=%ff",
            "client=%4",
        ] {
            assert_eq!(client(query), None, "{query}");
        }
        assert_eq!(
            client(&format!("client={}", "x".repeat(MOST_TEXT + 1))),
            None
        );
    }

    #[test]
    fn names_are_names() {
        assert!(name("per-client_1.x").is_ok());
        for text in ["a/b", "a b", "%41", "é", &"x".repeat(MOST_TEXT + 1)] {
            assert!(name(text).is_err(), "{text}");
        }
    }
}
