//! Copies of requests to a second upstream, as configured. Must not: send one.

use crate::policy::ids::UpstreamName;

/// Copies of a route's requests.
#[derive(Clone, Debug)]
pub struct MirrorSettings {
    /// Where they go.
    pub upstream: UpstreamName,
    /// The part of the requests that is copied, above 0 and at most 1.
    pub share: f64,
    /// Copies under way, on each worker.
    pub max_in_flight: usize,
    /// The largest body that is copied, in bytes.
    pub max_body: usize,
}
