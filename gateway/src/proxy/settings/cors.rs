//! What scripts of other origins may do, as configured.

use std::time::Duration;

use http::{HeaderName, Method};

/// Cross-origin sharing of a route (Fetch Standard, section 3.3).
#[derive(Clone, Debug)]
pub struct CorsSettings {
    /// Who may.
    pub origins: CorsOrigins,
    /// With which methods.
    pub methods: Vec<Method>,
    /// With which header fields, beside those that are always allowed.
    pub headers: CorsHeaders,
    /// Which fields of an answer a script may read, beside those it always may.
    pub expose: Vec<HeaderName>,
    /// Whether cookies and credentials are sent along; never with every origin.
    pub credentials: bool,
    /// How long a browser may remember a preflight.
    pub max_age: Duration,
}

/// Origins that may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every one.
    Any,
    /// These.
    These(Vec<CorsOrigin>),
}

/// An origin: scheme, host and port, in lower case as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigin {
    /// That one.
    Exact(Box<str>),
    /// Every host below: `https://*.example.com` is `https://` and `.example.com`.
    Below {
        /// The scheme and its slashes.
        scheme: Box<str>,
        /// What the rest ends in, its dot included.
        domain: Box<str>,
    },
}

/// Header fields a request may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsHeaders {
    /// Whatever is asked for.
    Any,
    /// These.
    These(Vec<HeaderName>),
}
