//! `[server]` as written. Must not: relate one key to another.

use std::net::SocketAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::http2::Http2;
use super::scalar::Text;
use super::server_tls::ServerTls;
use crate::policy::units::Micros;
use crate::proxy::settings::{DotSegments, DoubleSlashes, Underscores};

/// The proxy listener and the threads behind it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Server {
    /// Where clients connect: IP address and port; port 0 picks a free one.
    pub(in super::super) listen: Option<Text<SocketAddr>>,
    /// Data-plane threads; 0 is one per core.
    #[schemars(extend("x-unit" = "threads"))]
    pub(in super::super) workers: Option<u16>,
    /// Networks whose `X-Forwarded-For` is believed: CIDRs or single addresses.
    pub(in super::super) trusted_proxies: Option<List<Text<IpNet>>>,
    /// How many leading bits of an IPv6 address are one client.
    #[schemars(extend("x-unit" = "bits"))]
    pub(in super::super) ipv6_prefix: Option<u8>,
    /// Whether `/metrics` is served on this listener too.
    pub(in super::super) metrics: Option<bool>,
    /// The name this hop signs with in `Via` and `Proxy-Status`. Default: the host's name, else `gateway`.
    pub(in super::super) name: Option<String>,
    /// The longest a client may take to send a request's head; then 408.
    pub(in super::super) header_timeout: Option<Text<Micros>>,
    /// How long a connection may be idle between requests, and how long its client may take nothing of an answer.
    pub(in super::super) keepalive_timeout: Option<Text<Micros>>,
    /// How long a connection that was upgraded (WebSocket) may be silent.
    pub(in super::super) tunnel_idle_timeout: Option<Text<Micros>>,
    /// The most connections; those beyond are closed at once.
    #[schemars(extend("x-unit" = "connections"))]
    pub(in super::super) max_connections: Option<u32>,
    /// The most requests on their way to upstreams at once; then 503. Absent: any number.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) max_requests: Option<u32>,
    /// The most connections from one address; those beyond are closed at once.
    #[schemars(extend("x-unit" = "connections"))]
    pub(in super::super) max_connections_per_address: Option<u32>,
    /// The largest request head, in bytes; then 431.
    #[schemars(extend("x-unit" = "bytes"))]
    pub(in super::super) max_header_bytes: Option<u32>,
    /// The most header fields of a request, at most 256; then 431.
    #[schemars(extend("x-unit" = "fields"))]
    pub(in super::super) max_headers: Option<u16>,
    /// The longest request target, in bytes; then 414.
    #[schemars(extend("x-unit" = "bytes"))]
    pub(in super::super) max_uri_bytes: Option<u32>,
    /// The largest request body, in bytes; then 413.
    #[schemars(extend("x-unit" = "bytes"))]
    pub(in super::super) max_body_bytes: Option<u64>,
    /// How long a client may let its body be waited for, in all; each 256 bytes pay back a second. Then 408.
    pub(in super::super) body_timeout: Option<Text<Micros>>,
    /// What becomes of header fields with an underscore in their name: `reject` the request, `drop` them, or `allow` them.
    pub(in super::super) underscore_headers: Option<Text<Underscores>>,
    /// What becomes of a path with dot segments, plain or encoded: `reject` it, `resolve` them before a route is looked for, or
    /// `forward` it as it is.
    pub(in super::super) dot_segments: Option<Text<DotSegments>>,
    /// Networks that must announce each client by the PROXY protocol, version 1 or 2, before anything else: CIDRs or single addresses.
    pub(in super::super) proxy_protocol: Option<List<Text<IpNet>>>,
    /// How many connections the system may hold for each worker that is busy.
    #[schemars(extend("x-unit" = "connections"))]
    pub(in super::super) backlog: Option<u32>,
    /// After how much silence a client's machine is asked whether it is still there; `0s`: never.
    pub(in super::super) tcp_keepalive: Option<Text<Micros>>,
    /// TLS towards clients.
    pub(in super::super) tls: Option<ServerTls>,
    /// HTTP/2.
    pub(in super::super) http2: Option<Http2>,
    /// What becomes of a path with slashes in a row: `reject` it, `merge` them before a route is looked for, or `forward` it as it is.
    pub(in super::super) double_slashes: Option<Text<DoubleSlashes>>,
    /// What becomes of a path with an encoded slash: `reject` it, or `forward` it as it is.
    pub(in super::super) encoded_slashes: Option<Text<EncodedSlashes>>,
    /// What the gateway answers about itself on this listener.
    pub(in super::super) health: Option<Health>,
    /// Whether the configuration is read again when its file changes; SIGHUP does so in any case.
    pub(in super::super) watch_config: Option<bool>,
    /// How long requests in flight may take to finish after a stop was asked for.
    pub(in super::super) drain_timeout: Option<Text<Micros>>,
    /// How long readiness fails before the listener closes, so that load balancers look away first.
    pub(in super::super) drain_delay: Option<Text<Micros>>,
}

/// What becomes of a path with an encoded slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum EncodedSlashes {
    /// The request is refused.
    Reject,
    /// It passes, and is no slash to the routes.
    Forward,
}

/// What the gateway answers about itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Health {
    /// Its path; a route of the same path answers in its place.
    pub(in super::super) path: Option<String>,
    /// The media type of the body.
    pub(in super::super) content_type: Option<String>,
    /// The body of the 200.
    pub(in super::super) body: Option<String>,
    /// Whether it is a 503 while a circuit of any upstream is not closed.
    pub(in super::super) fail_when_open: Option<bool>,
    /// The limits it is counted under; absent: none.
    pub(in super::super) limits: Option<List<String>>,
}
