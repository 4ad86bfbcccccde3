//! From an address to connections: one server, Sentinels or a cluster, each through its own `deadpool_redis` pool.
//!
//! Guarantees: opening does no I/O, so a gateway starts without its store; a password leaves here only towards the server. Must not:
//! keep a connection: whoever asks for one owns it.

use std::path::Path;

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use deadpool_redis::redis::cluster_async::ClusterConnection;
use deadpool_redis::redis::sentinel::{
    SentinelClient, SentinelNodeConnectionInfo, SentinelServerType,
};
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisError, RedisFuture, TlsCertificates, Value, cmd,
};
use deadpool_redis::{BuildError, PoolError, cluster, sentinel};

use super::url::Address;
use crate::store::settings::{Settings, StoreUrl, Topology};

/// Commands that may wait to be written: as many as may be in flight.
const PIPELINE: usize = super::MOST_IN_FLIGHT;

/// A store that cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address passed the first look but the client library refuses it.
    #[error("the store's address {url} is not usable: {reason}")]
    Address {
        /// The address, without its password.
        url: StoreUrl,
        /// What the library says.
        reason: String,
    },
    /// The file of certificate authorities.
    #[error("the store's certificate authorities in {file} cannot be used: {reason}")]
    CaFile {
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// The pools of Sentinels and clusters take their authorities from the system alone.
    #[error(
        "ca_file is for rediss:// alone: for Sentinels and clusters name the file in SSL_CERT_FILE"
    )]
    CaFileTopology,
}

/// Makes connections of one kind.
pub(super) enum Factory {
    Single {
        pool: deadpool_redis::Pool,
        client: Client,
    },
    Sentinel {
        pool: sentinel::Pool,
        nodes: Vec<ConnectionInfo>,
        master: String,
        server: SentinelNodeConnectionInfo,
    },
    Cluster {
        pool: cluster::Pool,
        nodes: Vec<ConnectionInfo>,
    },
}

impl Factory {
    /// Prepares for `url`; connects to nothing.
    pub(super) fn open(url: &StoreUrl, settings: &Settings) -> Result<Self, OpenError> {
        install_crypto();
        let ca_file = settings.ca_file.as_deref();
        if url.topology() != Topology::Standalone && ca_file.is_some() {
            return Err(OpenError::CaFileTopology);
        }
        let opened = match url.topology() {
            Topology::Standalone => Self::single(single_client(url, ca_file)?),
            Topology::Sentinel => Self::sentinel(&Address::parse(url)),
            Topology::Cluster => Self::cluster(&Address::parse(url)),
        };
        opened.map_err(|error| OpenError::Address {
            url: url.clone(),
            reason: error.to_string(),
        })
    }

    fn single(client: Client) -> Result<Self, RedisError> {
        // Our deadline ends a call; a second timer beside it would only cost.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE);
        let info = client.get_connection_info().clone();
        let manager = deadpool_redis::Manager::new_with_config(info, config)?;
        let pool = deadpool_redis::Pool::builder(manager).max_size(1).build();
        let pool = pool.map_err(misbuilt)?;
        Ok(Self::Single { pool, client })
    }

    fn sentinel(address: &Address<'_>) -> Result<Self, RedisError> {
        let (nodes, redis) = (address.nodes()?, address.redis()?);
        let master = address.master().to_owned();
        let info = sentinel::SentinelNodeConnectionInfo {
            tls_mode: address.tls().then_some(sentinel::TlsMode::Secure),
            redis_connection_info: Some(redis.into()),
        };
        let server = SentinelNodeConnectionInfo::from(info.clone());
        let kind = sentinel::SentinelServerType::Master;
        let manager = sentinel::Manager::new(nodes.clone(), master.clone(), Some(info), kind)?;
        let pool = sentinel::Pool::builder(manager).max_size(1).build();
        let pool = pool.map_err(misbuilt)?;
        Ok(Self::Sentinel {
            pool,
            nodes,
            master,
            server,
        })
    }

    fn cluster(address: &Address<'_>) -> Result<Self, RedisError> {
        let nodes = address.nodes()?;
        let manager = cluster::Manager::new(nodes.clone(), false)?;
        let pool = cluster::Pool::builder(manager).max_size(1).build();
        let pool = pool.map_err(misbuilt)?;
        Ok(Self::Cluster { pool, nodes })
    }

    /// A connection of the caller's own.
    pub(super) async fn connect(&self) -> Result<Connection, RedisError> {
        let mut connection = match self {
            Self::Single { pool, .. } => {
                let pooled = pool.get().await.map_err(backend)?;
                Connection::Single(deadpool_redis::Connection::take(pooled))
            }
            Self::Sentinel { pool, .. } => {
                let pooled = pool.get().await.map_err(backend)?;
                Connection::Single(sentinel::Connection::take(pooled))
            }
            Self::Cluster { pool, .. } => {
                let pooled = pool.get().await.map_err(backend)?;
                Connection::Cluster(cluster::Connection::take(pooled))
            }
        };
        if let Connection::Single(single) = &mut connection {
            // A name in CLIENT LIST; a user without that permission goes nameless.
            let name = cmd("CLIENT").arg("SETNAME").arg("api-gateway").to_owned();
            let _ = single.send_packed_command(&name).await;
        }
        Ok(connection)
    }

    /// A connection that only listens. In a cluster any node hears what is published on any other.
    pub(super) async fn listen(&self) -> Result<PubSub, RedisError> {
        match self {
            Self::Single { client, .. } => client.get_async_pubsub().await,
            Self::Sentinel {
                nodes,
                master,
                server,
                ..
            } => {
                let kind = SentinelServerType::Master;
                let (nodes, master) = (nodes.clone(), master.clone());
                let mut client = SentinelClient::build(nodes, master, Some(server.clone()), kind)?;
                client.async_get_client().await?.get_async_pubsub().await
            }
            Self::Cluster { nodes, .. } => listen_to_any(nodes).await,
        }
    }
}

async fn listen_to_any(nodes: &[ConnectionInfo]) -> Result<PubSub, RedisError> {
    let first = fastrand::usize(..nodes.len().max(1));
    let mut last = RedisError::from((ErrorKind::InvalidClientConfig, "no node is named"));
    for node in nodes.iter().cycle().skip(first).take(nodes.len()) {
        match Client::open(node.clone())?.get_async_pubsub().await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn single_client(url: &StoreUrl, ca_file: Option<&Path>) -> Result<Client, OpenError> {
    let address = |error: RedisError| OpenError::Address {
        url: url.clone(),
        reason: error.to_string(),
    };
    let info = url.secret().into_connection_info().map_err(address)?;
    let Some(file) = ca_file else {
        return Client::open(info).map_err(address);
    };
    let unusable = |reason: String| OpenError::CaFile {
        file: file.display().to_string(),
        reason,
    };
    let authorities = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(authorities),
    };
    Client::build_with_tls(info, certificates).map_err(|error| unusable(error.to_string()))
}

/// The client library leaves the choice of cryptography to the process; the first to choose wins.
fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn misbuilt(error: BuildError) -> RedisError {
    RedisError::from(std::io::Error::other(error.to_string()))
}

fn backend(error: PoolError) -> RedisError {
    match error {
        PoolError::Backend(error) => error,
        // The pool is never closed, has no timeouts and no hooks.
        other => RedisError::from(std::io::Error::other(other.to_string())),
    }
}

/// A connection on which any number of calls may be under way at once; clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Whether it looks for lost servers by itself; begun anew, it would lose the ones it has.
    pub(super) const fn heals_itself(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
