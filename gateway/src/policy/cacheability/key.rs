//! What two requests must have in common to have the same answer: the target, and the fields that choose among its variants.
//!
//! Guarantees: keys are SHA-256, so that nobody can make two targets meet; each part is hashed with its length, so that nothing of
//! one reads as part of the next. Must not: be reversible — a key in a log or in the store names nobody.

use std::fmt;

use http::header::VARY;
use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};

use super::terms::Reason;

/// Fields in `Vary` beyond which an answer is not kept.
pub const MAX_VARY: usize = 16;

/// The digest that stands for a target, or for one variant of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the form it is displayed in.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(text.get(place..place + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The same digest, told apart from the one before by `salt`.
    #[must_use]
    pub fn salted(mut self, salt: u64) -> Self {
        for (byte, salt) in self.0.iter_mut().zip(salt.to_le_bytes()) {
            *byte ^= salt;
        }
        self
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which parts of a query tell targets apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// All of it, as it is written.
    #[default]
    All,
    /// These parameters, in whatever order they come.
    Only(Vec<String>),
}

/// What a key is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeySpec {
    /// Whether one answer serves every host.
    pub any_host: bool,
    /// Which parts of the query.
    pub query: Query,
}

/// The target of a request (RFC 9110, section 7.1), in its parts.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host and port as the client named them.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
}

impl KeySpec {
    /// The key of a target.
    #[must_use]
    pub fn key(&self, target: &Target<'_>) -> Digest {
        let mut hash = Parts::new("target");
        hash.part(target.scheme.as_bytes());
        if self.any_host {
            hash.part(b"*");
        } else {
            hash.part(host(target).as_bytes());
        }
        hash.part(target.path.as_bytes());
        match &self.query {
            Query::All => hash.part(target.query.unwrap_or_default().as_bytes()),
            Query::Only(names) => {
                for name in names {
                    hash.part(name.as_bytes());
                    for value in values(target.query.unwrap_or_default(), name) {
                        hash.part(value.as_bytes());
                    }
                }
            }
        }
        hash.end()
    }
}

/// A host is the same in any case, and with its scheme's own port or without.
fn host(target: &Target<'_>) -> String {
    let own_port = if target.scheme == "https" {
        ":443"
    } else {
        ":80"
    };
    let host = target.host.strip_suffix(own_port).unwrap_or(target.host);
    host.to_ascii_lowercase()
}

/// The parameters called `name`, each whole, so that `a` and `a=` differ.
fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = query.split('&');
    pairs.filter(move |pair| pair.split('=').next() == Some(name))
}

/// The key of the variant of `target` that a request with `headers` selects by the fields in `names`.
pub fn variant<'a>(
    target: &Digest,
    names: impl IntoIterator<Item = &'a HeaderName>,
    headers: &HeaderMap,
) -> Digest {
    let mut hash = Parts::new("variant");
    hash.part(target.bytes());
    for name in names {
        hash.part(name.as_str().as_bytes());
        for value in headers.get_all(name) {
            // Several fields of a name are one list (RFC 9110, section 5.2), spaces around its commas mean nothing.
            for member in value.as_bytes().split(|byte| *byte == b',') {
                hash.part(member.trim_ascii());
            }
        }
    }
    hash.end()
}

/// The fields that `Vary` names, in order and each once.
///
/// # Errors
/// `*`, which no later request matches; more than [`MAX_VARY`]; what is no field.
pub fn vary_names(headers: &HeaderMap) -> Result<Vec<HeaderName>, Reason> {
    let mut names = Vec::new();
    for value in headers.get_all(VARY) {
        for name in value.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if name.is_empty() {
                continue;
            }
            if name == b"*" || names.len() == MAX_VARY {
                return Err(Reason::Vary);
            }
            names.push(HeaderName::from_bytes(name).map_err(|_| Reason::Vary)?);
        }
    }
    names.sort_unstable_by(|a: &HeaderName, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    Ok(names)
}

struct Parts(Sha256);

impl Parts {
    fn new(kind: &str) -> Self {
        let mut parts = Self(Sha256::new());
        parts.part(kind.as_bytes());
        parts
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn end(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn key(spec: &KeySpec, scheme: &str, host: &str, target: &str) -> Digest {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        spec.key(&Target {
            scheme,
            host,
            path,
            query,
        })
    }

    #[test]
    fn targets_that_differ_have_different_keys() {
        let all = KeySpec::default();
        let one = key(&all, "http", "a.example", "/x?a=1&b=2");
        assert_eq!(one, key(&all, "http", "A.example:80", "/x?a=1&b=2"));
        for (scheme, host, target) in [
            ("https", "a.example", "/x?a=1&b=2"),
            ("http", "b.example", "/x?a=1&b=2"),
            ("http", "a.example:81", "/x?a=1&b=2"),
            ("http", "a.example", "/x?b=2&a=1"),
            ("http", "a.example", "/X?a=1&b=2"),
            ("http", "a.example", "/x"),
        ] {
            assert_ne!(
                one,
                key(&all, scheme, host, target),
                "{scheme} {host} {target}"
            );
        }
    }

    #[test]
    fn chosen_parameters_count_in_any_order_and_others_do_not() {
        let some = KeySpec {
            any_host: true,
            query: Query::Only(vec!["type".to_owned(), "period".to_owned()]),
        };
        let one = key(&some, "http", "a", "/x?type=a&period=7&nonce=1");
        assert_eq!(one, key(&some, "http", "b", "/x?nonce=2&period=7&type=a"));
        for other in [
            "/x?type=a",
            "/x?type=b&period=7",
            "/x?type=a&type=b&period=7",
            "/x?type&period=7",
        ] {
            assert_ne!(one, key(&some, "http", "a", other), "{other}");
        }
    }

    #[test]
    fn variants_are_selected_by_what_vary_names() {
        let target = key(&KeySpec::default(), "http", "a", "/");
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            headers
        };
        let names = vary_names(&with(&[
            ("vary", "Accept, accept-language"),
            ("vary", "accept"),
        ]));
        let names = names.unwrap();
        assert_eq!(names, ["accept", "accept-language"]);
        let select = |pairs| variant(&target, &names, &with(pairs));
        let one = select(&[("accept", "a,b")]);
        assert_eq!(
            one,
            select(&[("accept", "a"), ("accept", " b"), ("x", "y")])
        );
        assert_ne!(one, select(&[("accept", "b,a")]));
        assert_ne!(one, select(&[("accept", "a,b"), ("accept-language", "de")]));
        assert_eq!(
            vary_names(&with(&[("vary", "accept, *")])),
            Err(Reason::Vary)
        );
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = key(&KeySpec::default(), "http", "a", "/");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("x"), None);
        assert_eq!(Digest::parse(&"+1".repeat(32)), None);
        assert_ne!(digest.salted(7), digest);
    }
}
