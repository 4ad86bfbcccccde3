//! Whom a limit counts a request for: what of it makes the key.
//!
//! Guarantees: a key is at most [`MAX_TEXT`] bytes of letters, digits and a few signs, so that no client makes keys grow or steps out of
//! them; what is longer or stranger, and what may be a secret, is there by its hash; what one part says cannot be taken for another's. A
//! request that lacks a part counts by its address. Must not: take tokens.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};

use super::record::Context;
use super::settings::{AuthKind, AuthSettings, Pattern, RouteSettings};
use crate::limiter::settings::{KeyPart, KeySettings};
use crate::policy::ids::{ClientId, MAX_TEXT};

/// The longest value that stands in a key as it is.
const LONGEST: usize = 64;

/// How the key of one limit on one route is made.
#[derive(Debug)]
pub(super) enum Key {
    Client,
    Everybody(ClientId),
    Parts(Vec<Part>),
}

/// One part of a key.
#[derive(Debug)]
pub(super) enum Part {
    Client,
    Everybody,
    Route(String),
    ApiKey,
    Subject,
    /// A header, and whether what it says is a secret.
    Header(HeaderName, bool),
    Cookie(String),
    Claim(String),
    /// A parameter of the path, by its place in the route's pattern.
    Path(usize),
}

impl Key {
    pub(super) fn new(
        settings: &KeySettings,
        route: &RouteSettings,
        auth: &[AuthSettings],
    ) -> Self {
        match settings {
            KeySettings::Client => Self::Client,
            KeySettings::Global => Self::Everybody(ClientId::Text("*".into())),
            KeySettings::Parts(parts) => {
                let part = |one| Part::new(one, route, auth);
                Self::Parts(parts.iter().map(part).collect())
            }
        }
    }

    /// Whom a request counts for.
    pub(super) fn client<'c, 'e: 'c>(
        &'e self,
        context: &'c Context,
        headers: &HeaderMap,
    ) -> Cow<'c, ClientId> {
        let parts = match self {
            Self::Client => return Cow::Borrowed(&context.client),
            Self::Everybody(everybody) => return Cow::Borrowed(everybody),
            Self::Parts(parts) => parts,
        };
        let mut text = String::with_capacity(LONGEST);
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                text.push('|');
            }
            part.write(context, headers, &mut text);
        }
        if text.len() > MAX_TEXT {
            text = hashed(text.as_bytes());
        }
        Cow::Owned(ClientId::Text(text.into()))
    }

    /// Whether it has a part of the path's parameters.
    pub(super) fn has_parameters(&self) -> bool {
        match self {
            Self::Client | Self::Everybody(_) => false,
            Self::Parts(parts) => parts.iter().any(|part| matches!(part, Part::Path(_))),
        }
    }

    /// What the request says, as it says it, for those who are exempt by it.
    pub(super) fn said(&self, context: &Context, headers: &HeaderMap) -> String {
        match self {
            Self::Client => context.client.to_string(),
            Self::Everybody(everybody) => everybody.to_string(),
            Self::Parts(parts) => {
                let said = parts.iter().map(|part| {
                    let said = part.said(context, headers);
                    said.map_or_else(|| context.client.to_string(), Cow::into_owned)
                });
                said.collect::<Vec<_>>().join("|")
            }
        }
    }
}

impl Part {
    fn new(settings: &KeyPart, route: &RouteSettings, auth: &[AuthSettings]) -> Self {
        match settings {
            KeyPart::Client => Self::Client,
            KeyPart::Global => Self::Everybody,
            KeyPart::Route => Self::Route(route.name.to_string()),
            KeyPart::ApiKey => Self::ApiKey,
            KeyPart::Subject => Self::Subject,
            KeyPart::Header(name) => match name.parse() {
                Ok(name) => {
                    let secret = is_secret(&name, auth);
                    Self::Header(name, secret)
                }
                // Checked when it was read.
                Err(_) => Self::Client,
            },
            KeyPart::Cookie(name) => Self::Cookie(name.clone()),
            KeyPart::Claim(name) => Self::Claim(name.clone()),
            KeyPart::Path(name) => {
                let pattern = Pattern::new(&route.path);
                let names = pattern.map(|pattern| pattern.names).unwrap_or_default();
                let place = names.iter().position(|own| **own == **name);
                // A path without it says nothing of it.
                Self::Path(place.unwrap_or(usize::MAX))
            }
        }
    }

    /// What stands before a value, so that an address in a header is not the client of that address.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Everybody => "global",
            Self::Route(_) => "route",
            Self::ApiKey => "api_key",
            Self::Subject => "subject",
            Self::Header(..) => "header",
            Self::Cookie(_) => "cookie",
            Self::Claim(_) => "claim",
            Self::Path(_) => "path",
        }
    }

    fn write(&self, context: &Context, headers: &HeaderMap, text: &mut String) {
        let Some(said) = self.said(context, headers) else {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", context.client);
            return;
        };
        text.push_str(self.kind());
        text.push(':');
        let secret = matches!(self, Self::Cookie(_) | Self::Header(_, true));
        if secret || !is_plain(&said) {
            text.push_str(&hashed(said.as_bytes()));
        } else {
            text.push_str(&said);
        }
    }

    /// What the request says here; nothing when it says nothing.
    fn said<'a>(&'a self, context: &'a Context, headers: &'a HeaderMap) -> Option<Cow<'a, str>> {
        let identity = context.identity.as_deref();
        let said = match self {
            Self::Client => None,
            Self::Everybody => Some("*".into()),
            Self::Route(name) => Some(name.into()),
            Self::ApiKey => identity
                .filter(|identity| identity.by_key)
                .and_then(|identity| identity.subject.as_deref().map(Cow::from)),
            Self::Subject => {
                identity.and_then(|identity| identity.subject.as_deref().map(Cow::from))
            }
            Self::Claim(name) => identity.and_then(|identity| identity.claim(name).map(Cow::from)),
            Self::Header(name, _) => headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes())),
            Self::Cookie(name) => cookie(headers, name).map(Cow::from),
            Self::Path(place) => context
                .parameters
                .as_ref()
                .and_then(|values| values.get(*place))
                .map(|value| decoded(value)),
        };
        said.filter(|said| !said.is_empty())
    }
}

/// Headers that let somebody in.
fn is_secret(name: &HeaderName, auth: &[AuthSettings]) -> bool {
    let usual = name.as_str() == "x-api-key";
    let of_keys =
        |one: &AuthSettings| matches!(&one.kind, AuthKind::ApiKeys(keys) if keys.header == *name);
    usual || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name) || auth.iter().any(of_keys)
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~@+=/".contains(&byte);
    text.len() <= LONGEST && text.bytes().all(plain)
}

/// `#` and 128 bits of SHA-256: no value that stands as it is begins so.
fn hashed(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let mut text = String::with_capacity(33);
    text.push('#');
    for byte in &hash[..16] {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// A segment with its percent-encoding undone, so that one resource has one key.
fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_long_or_strange_is_there_by_its_hash() {
        assert!(is_plain("acme-42@example.org"));
        for strange in ["a:b", "a|b", "#1", "{x}", "a b", "\u{e9}", &"x".repeat(65)] {
            assert!(!is_plain(strange), "{strange}");
        }
        assert_eq!(hashed(b"x").len(), 33);
        assert_eq!(decoded("a%2Fb%zz%"), "a/b%zz%");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, http::HeaderValue::from_static("a=1; sid=x=y"));
        headers.append(COOKIE, http::HeaderValue::from_static("b=2"));
        assert_eq!(cookie(&headers, "sid"), Some("x=y"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "id"), None);
    }
}
