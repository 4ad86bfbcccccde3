//! `[server.tls]` as written. Must not: read a file.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::scalar::Text;
use crate::policy::units::Micros;
use crate::server::{ClientAuth, TlsVersion};

/// TLS towards clients.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ServerTls {
    /// Certificates; the first is for clients that name no host, or one that nobody has. None: no TLS.
    pub(in super::super) certificates: Option<List<Certificate>>,
    /// A listener of its own for TLS, IP address and port; absent: `server.listen` speaks TLS.
    pub(in super::super) listen: Option<Text<SocketAddr>>,
    /// The oldest version spoken: `1.2` or `1.3`.
    pub(in super::super) min_version: Option<Text<TlsVersion>>,
    /// Whether clients show certificates: `none`, `optional`, or `required`. The upstream reads a good one in `Client-Cert`.
    pub(in super::super) client_auth: Option<Text<ClientAuth>>,
    /// The authorities that vouch for clients, in PEM.
    pub(in super::super) client_ca_file: Option<PathBuf>,
    /// What those authorities have taken back (RFC 5280), in PEM: a list of each authority that may stand in a client's chain. A client that no
    /// list speaks of is not let in; a list past its date goes on holding. It is read again when it changed, like the certificates.
    pub(in super::super) client_crl_file: Option<PathBuf>,
    /// Whether HTTP/2 is offered.
    pub(in super::super) http2: Option<bool>,
    /// The longest a handshake may take.
    pub(in super::super) handshake_timeout: Option<Text<Micros>>,
    /// How often the files are looked at, and read again when they changed.
    pub(in super::super) reload_interval: Option<Text<Micros>>,
}

/// A certificate and its key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Certificate {
    /// The certificate, then those that lead to its authority, in PEM. The hosts it is for stand in it.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) cert_file: Option<PathBuf>,
    /// The key of `cert_file`, in PEM.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) key_file: Option<PathBuf>,
}
