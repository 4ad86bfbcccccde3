//! The proxy listener as configured. Must not: bind.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::tls::TlsSettings;

/// The proxy listener and the threads behind it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients connect; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Data-plane threads, each with its own listener, connections and runtime. At least 1.
    pub workers: usize,
    /// Whether `/metrics` is served here too.
    pub metrics: bool,
    /// The longest a client may take to send a request's head.
    pub header_timeout: Duration,
    /// How long a connection may be idle between requests.
    pub keepalive_timeout: Duration,
    /// The most connections of the process.
    pub max_connections: usize,
    /// The most connections from one address.
    pub max_connections_per_address: usize,
    /// The largest head, in bytes.
    pub max_header_bytes: usize,
    /// The most header fields.
    pub max_headers: usize,
    /// The longest request target, in bytes.
    pub max_uri_bytes: usize,
    /// Who must announce clients by the PROXY protocol.
    pub proxy_protocol: Vec<IpNet>,
    /// Connections the system may hold for each worker that is busy.
    pub backlog: u32,
    /// After how much silence a client's machine is asked whether it is still there; zero for never.
    pub tcp_keepalive: Duration,
    /// HTTP/2.
    pub http2: Http2Settings,
    /// TLS, if it is spoken.
    pub tls: Option<TlsSettings>,
    /// Whether a change of the configuration file is a reload.
    pub watch_config: bool,
    /// How long requests in flight may take to finish after a stop was asked for.
    pub drain_timeout: Duration,
    /// How long readiness fails before the listener closes, so that load balancers look away first.
    pub drain_delay: Duration,
}

/// HTTP/2 as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Settings {
    /// Whether it is spoken in clear, to clients that begin with it.
    pub cleartext: bool,
    /// Requests in flight on one connection.
    pub max_concurrent_streams: u32,
    /// Bytes of one request's body that may wait here.
    pub stream_window: u32,
    /// Bytes of all bodies of one connection that may wait here.
    pub connection_window: u32,
}
