//! The admin listener as configured. Must not: bind.

use std::net::SocketAddr;

/// Where operators and scrapers connect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Loopback unless changed; port 0 picks a free one.
    pub listen: SocketAddr,
}
