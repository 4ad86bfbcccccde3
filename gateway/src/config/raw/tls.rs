//! `[upstreams.NAME.tls]` as written. Must not: read a file.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// TLS towards an upstream.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Tls {
    /// The authorities whose certificates are believed, in PEM; absent: the system's.
    pub(in super::super) ca_file: Option<PathBuf>,
    /// What the gateway shows of itself: a certificate and its chain, in PEM.
    pub(in super::super) client_cert_file: Option<PathBuf>,
    /// The key of `client_cert_file`, in PEM.
    pub(in super::super) client_key_file: Option<PathBuf>,
    /// The name asked for (SNI) and expected in the certificate; absent: the endpoint's host.
    pub(in super::super) server_name: Option<String>,
    /// Whether the upstream must prove who it is; `false` is for tests.
    pub(in super::super) verify: Option<bool>,
}
