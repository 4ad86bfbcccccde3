//! What a route keeps, as configured. Must not: decide whether anything is kept.

use http::{HeaderName, Method};

use crate::policy::cacheability::{KeySpec, Rules};

/// A route whose answers are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The methods answered from what is kept: GET, HEAD or both.
    pub methods: Vec<Method>,
    /// What tells targets apart.
    pub key: KeySpec,
    /// Fields of a request that tell variants, whatever `Vary` says.
    pub fields: Vec<HeaderName>,
    /// What the route adds to what its upstream says.
    pub rules: Rules,
    /// What its answers are purged by, beside the route's own name: `tag:NAME`.
    pub tags: Vec<String>,
    /// Variants of one target kept at a time.
    pub variants: u32,
    /// Whether clients' `Cache-Control` is obeyed.
    pub obey_clients: bool,
}
