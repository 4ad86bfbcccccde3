//! Addresses that name several servers, which the client library does not read by itself.
//!
//! Guarantees: whatever `settings::StoreUrl` accepted becomes one ordinary address a node. The credentials are the data servers';
//! Sentinels are asked without any. Must not: print an address.

use deadpool_redis::redis::{ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError};

use crate::store::settings::{StoreUrl, Topology};

/// The parts of `SCHEME://[USER[:PASSWORD]@]HOST[:PORT][,…][/MASTER][/DB]`.
pub(super) struct Address<'a> {
    tls: bool,
    credentials: &'a str,
    hosts: &'a str,
    master: &'a str,
    database: &'a str,
    default_port: u16,
    credentials_for_nodes: bool,
}

impl<'a> Address<'a> {
    pub(super) fn parse(url: &'a StoreUrl) -> Self {
        let (scheme, rest) = url.secret().split_once("://").unwrap_or_default();
        let rest = rest.split('?').next().unwrap_or_default();
        let (credentials, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (master, database) = path.split_once('/').unwrap_or((path, ""));
        let sentinel = url.topology() == Topology::Sentinel;
        Self {
            tls: scheme.starts_with("rediss"),
            credentials,
            hosts,
            master,
            database,
            default_port: if sentinel { 26_379 } else { 6_379 },
            credentials_for_nodes: !sentinel,
        }
    }

    pub(super) const fn tls(&self) -> bool {
        self.tls
    }

    pub(super) const fn master(&self) -> &str {
        self.master
    }

    /// Every host named.
    pub(super) fn nodes(&self) -> Result<Vec<ConnectionInfo>, RedisError> {
        let credentials = if self.credentials_for_nodes {
            self.credentials
        } else {
            ""
        };
        self.hosts
            .split(',')
            .map(|host| self.one(credentials, host.trim(), ""))
            .collect()
    }

    /// User, password and database of the data servers.
    pub(super) fn redis(&self) -> Result<RedisConnectionInfo, RedisError> {
        let any = self.one(self.credentials, "localhost", self.database)?;
        Ok(any.redis_settings().clone())
    }

    fn one(
        &self,
        credentials: &str,
        host: &str,
        database: &str,
    ) -> Result<ConnectionInfo, RedisError> {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let at = if credentials.is_empty() { "" } else { "@" };
        // A colon inside brackets belongs to an IPv6 address.
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.contains(']'));
        let port = if has_port {
            String::new()
        } else {
            format!(":{}", self.default_port)
        };
        format!("{scheme}://{credentials}{at}{host}{port}/{database}").into_connection_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<String> {
        let url = StoreUrl::parse(text).unwrap();
        let nodes = Address::parse(&url).nodes().unwrap();
        nodes.iter().map(|node| node.addr().to_string()).collect()
    }

    #[test]
    fn sentinels_and_their_master() {
        let url = StoreUrl::parse("redis+sentinel://app:p%40ss@a,b:7,[::1]:9/main/3").unwrap();
        let address = Address::parse(&url);
        assert_eq!(address.master(), "main");
        let server = address.redis().unwrap();
        assert_eq!(
            (server.username(), server.password()),
            (Some("app"), Some("p@ss"))
        );
        assert_eq!(server.db(), 3);
        for node in address.nodes().unwrap() {
            assert_eq!(node.redis_settings().password(), None);
        }
        assert_eq!(addresses(url.secret()), ["a:26379", "b:7", "::1:9"]);
    }

    #[test]
    fn cluster_nodes() {
        assert_eq!(
            addresses("redis+cluster://:pw@a,[::1],b:7000"),
            ["a:6379", "::1:6379", "b:7000"]
        );
        let url = StoreUrl::parse("rediss+cluster://:pw@a").unwrap();
        let nodes = Address::parse(&url).nodes().unwrap();
        assert!(Address::parse(&url).tls());
        assert_eq!(nodes[0].redis_settings().password(), Some("pw"));
    }
}
