//! One limit as configured. Must not: take tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::ids::PolicyName;
use crate::policy::limit::LimitSpec;

/// A limit that routes refer to by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// Its name in routes, headers, metrics and keys.
    pub name: PolicyName,
    /// Whom it counts.
    pub key: KeySettings,
    /// What it counts and how.
    pub spec: LimitSpec,
    /// Whether a replica may hold tokens ahead; without, every request asks the store. Of token buckets only.
    pub leases: bool,
    /// The longest a token may be held ahead: the τ of `docs/guarantees.md`.
    pub lease_lifetime: Duration,
    /// What to do when the store does not answer.
    pub on_store_failure: OnStoreFailure,
    /// Decide and count, but never refuse.
    pub shadow: bool,
    /// Whether answers also tell it in `X-RateLimit-*`.
    pub legacy_headers: LegacyHeaders,
}

/// Whether answers also tell a limit in `X-RateLimit-*`, and what `X-RateLimit-Reset` means: there was never a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LegacyHeaders {
    /// They do not.
    #[default]
    None,
    /// Seconds from the answer.
    Delta,
    /// Seconds since 1970.
    Epoch,
}

/// Whom a limit counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySettings {
    /// Each client address.
    Client,
    /// Everybody together.
    Global,
    /// Whatever these say of a request, taken together; at least one.
    Parts(Arc<[KeyPart]>),
}

impl KeySettings {
    /// What `parts` come to.
    #[must_use]
    pub fn of(parts: Vec<KeyPart>) -> Self {
        match &parts[..] {
            [KeyPart::Client] => Self::Client,
            [] | [KeyPart::Global] => Self::Global,
            _ => Self::Parts(parts.into()),
        }
    }
}

impl fmt::Display for KeySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = match self {
            Self::Client => return f.write_str("client"),
            Self::Global => return f.write_str("global"),
            Self::Parts(parts) => parts,
        };
        for (place, part) in parts.iter().enumerate() {
            let between = if place == 0 { "" } else { " + " };
            write!(f, "{between}{part}")?;
        }
        Ok(())
    }
}

/// One thing a request says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// Its address.
    Client,
    /// Nothing: all requests are one.
    Global,
    /// Its route.
    Route,
    /// The API key it came with.
    ApiKey,
    /// Whoever it turned out to be from.
    Subject,
    /// A header.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A claim of its token.
    Claim(String),
    /// A parameter of its path.
    Path(String),
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Global => f.write_str("global"),
            Self::Route => f.write_str("route"),
            Self::ApiKey => f.write_str("api_key"),
            Self::Subject => f.write_str("subject"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Claim(name) => write!(f, "claim:{name}"),
            Self::Path(name) => write!(f, "path:{name}"),
        }
    }
}

/// What to do when the store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStoreFailure {
    /// A local bucket of the limit divided by the replicas last known to live.
    Degrade,
    /// Grant.
    Allow,
    /// Refuse.
    Deny,
}
