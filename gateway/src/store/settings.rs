//! How to reach the shared store. Must not: open anything.

use std::path::PathBuf;
use std::time::Duration;

/// Where replicas meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The shared store's address; none means the embedded store, shared by nobody else.
    pub url: Option<StoreUrl>,
    /// The authorities whose certificates `rediss://` believes, in PEM; none means the system's.
    pub ca_file: Option<PathBuf>,
    /// The first part of every key.
    pub prefix: String,
    /// The longest a request waits for one decision of the store.
    pub timeout: Duration,
    /// How often this replica says that it lives and asks for what it may have missed.
    pub heartbeat: Duration,
    /// Consecutive failed calls after which the store counts as lost and requests stop waiting for it.
    pub failures: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: None,
            prefix: "api-gateway".to_owned(),
            timeout: Duration::from_millis(20),
            heartbeat: Duration::from_secs(1),
            failures: 3,
        }
    }
}

/// A store address whose scheme is one we speak; prints without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    full: String,
    topology: Topology,
}

/// How the servers behind an address are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// `redis://`, `rediss://`, `unix://`: one server.
    Standalone,
    /// `redis+sentinel://HOST:PORT[,HOST:PORT…]/MASTER`: a master elected by sentinels. `rediss+sentinel://` for TLS.
    Sentinel,
    /// `redis+cluster://HOST:PORT[,HOST:PORT…]`: a cluster. `rediss+cluster://` for TLS.
    Cluster,
}

/// An address that is not one of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A scheme we do not speak, or none.
    #[error(
        "a store URL starts with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"
    )]
    Scheme,
    /// No host after the scheme.
    #[error("a store URL names a host: redis://HOST:PORT")]
    NoHost,
    /// Sentinels are asked for a master by its name.
    #[error("a Sentinel URL names the master: redis+sentinel://HOST:26379/mymaster")]
    NoMaster,
}

impl StoreUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// An unknown scheme, a missing host, a Sentinel address without its master's name.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let topology = match scheme {
            "redis" | "rediss" | "unix" | "redis+unix" => Topology::Standalone,
            "redis+sentinel" | "rediss+sentinel" => Topology::Sentinel,
            "redis+cluster" | "rediss+cluster" => Topology::Cluster,
            _ => return Err(UrlError::Scheme),
        };
        let after_user = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let (host, path) = after_user.split_once('/').unwrap_or((after_user, ""));
        if host.is_empty() && !scheme.ends_with("unix") {
            return Err(UrlError::NoHost);
        }
        let master = path.split(['?', '/']).next().unwrap_or_default();
        if topology == Topology::Sentinel && master.is_empty() {
            return Err(UrlError::NoMaster);
        }
        Ok(Self {
            full: text.to_owned(),
            topology,
        })
    }

    /// The address with its password: for the client library alone.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.full
    }

    /// How the servers behind it are arranged.
    #[must_use]
    pub const fn topology(&self) -> Topology {
        self.topology
    }
}

impl std::fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, rest) = self.full.split_once("://").unwrap_or(("", &self.full));
        match rest.rsplit_once('@') {
            None => f.write_str(&self.full),
            Some((credentials, host)) => {
                let user = credentials.split(':').next().unwrap_or_default();
                write!(f, "{scheme}://{user}:***@{host}")
            }
        }
    }
}

impl std::fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let url = StoreUrl::parse("rediss://app:hunter2@db.internal:6380/3").unwrap();
        assert_eq!(url.to_string(), "rediss://app:***@db.internal:6380/3");
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(StoreUrl::parse("http://x"), Err(UrlError::Scheme));
        assert_eq!(StoreUrl::parse("redis://"), Err(UrlError::NoHost));
        assert_eq!(
            StoreUrl::parse("redis+sentinel://a:26379,b:26379"),
            Err(UrlError::NoMaster)
        );
        assert_eq!(
            StoreUrl::parse("redis+sentinel://a:26379/main")
                .unwrap()
                .topology(),
            Topology::Sentinel
        );
        assert_eq!(
            StoreUrl::parse("redis+cluster://a:7000,b:7000")
                .unwrap()
                .topology(),
            Topology::Cluster
        );
        assert_eq!(
            StoreUrl::parse("unix:///run/redis.sock")
                .unwrap()
                .topology(),
            Topology::Standalone
        );
    }
}
