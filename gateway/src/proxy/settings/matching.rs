//! What a route asks of a request beside path and method. Must not: look at one.

use std::fmt;

use http::HeaderName;

/// The hosts a route answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostPattern {
    /// That host, in lower case.
    Exact(Box<str>),
    /// Every host that ends in a dot and this, in lower case: `*.example.com` without its star and dot.
    Below(Box<str>),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(host) => write!(f, "*.{host}"),
        }
    }
}

/// A header field a request must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Its name.
    pub name: HeaderName,
    /// What one of its lines must be.
    pub value: ValueMatch,
}

/// What a field's value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueMatch {
    /// Exactly this.
    Exact(Box<str>),
    /// This and anything after it; with nothing here, anything at all.
    Prefix(Box<str>),
}

impl HeaderMatch {
    /// Whether `headers` have it.
    #[must_use]
    pub fn holds(&self, headers: &http::HeaderMap) -> bool {
        let fits = |value: &http::HeaderValue| match &self.value {
            ValueMatch::Exact(text) => value.as_bytes() == text.as_bytes(),
            ValueMatch::Prefix(text) => value.as_bytes().starts_with(text.as_bytes()),
        };
        headers.get_all(&self.name).iter().any(fits)
    }
}
