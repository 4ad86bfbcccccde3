//! The admin listener as configured. Must not: bind.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where operators and scrapers connect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Loopback unless changed; port 0 picks a free one.
    pub listen: SocketAddr,
    /// What operators show; without it the API is for this machine alone, or for nobody.
    pub token: Option<Token>,
}

/// A secret that operators share; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

impl Token {
    /// Takes a secret as it is.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The secret, to compare with.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
