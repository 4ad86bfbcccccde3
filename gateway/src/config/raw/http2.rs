//! `[server.http2]` as written. Must not: relate one key to another.

use schemars::JsonSchema;
use serde::Deserialize;

/// HTTP/2 towards clients.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Http2 {
    /// Whether clients may begin with HTTP/2 in clear (prior knowledge) on `server.listen`.
    pub(in super::super) cleartext: Option<bool>,
    /// The most requests in flight on one connection.
    #[schemars(extend("x-unit" = "streams"))]
    pub(in super::super) max_concurrent_streams: Option<u32>,
    /// How many bytes of one request's body may wait here.
    #[schemars(extend("x-unit" = "bytes"))]
    pub(in super::super) stream_window: Option<u32>,
    /// How many bytes of all bodies on one connection may wait here.
    #[schemars(extend("x-unit" = "bytes"))]
    pub(in super::super) connection_window: Option<u32>,
}
