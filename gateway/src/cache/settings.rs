//! The response cache as configured. Must not: know a route.

use std::time::Duration;

/// The cache of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes the process keeps in its own memory, with what it costs to keep them.
    pub memory: u64,
    /// Bytes of the largest answer that is kept, its head included.
    pub max_object: usize,
    /// Whether the fleet keeps answers together, in the store.
    pub shared: bool,
    /// How long others wait for one that asks the origin, before they ask for themselves.
    pub fill_timeout: Duration,
    /// Everything that can be purged by name: `tag:NAME`, `route:NAME`.
    pub tags: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory: 64 * 1024 * 1024,
            max_object: 1024 * 1024,
            shared: true,
            fill_timeout: Duration::from_secs(5),
            tags: Vec::new(),
        }
    }
}
