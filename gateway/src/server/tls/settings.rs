//! TLS towards clients as configured. Must not: read a file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// A listener of its own; none: the proxy's speaks TLS.
    pub listen: Option<SocketAddr>,
    /// At least one; the first is for clients that name no host, or one that nobody has.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version spoken.
    pub min_version: TlsVersion,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth,
    /// The authorities that vouch for clients, in PEM.
    pub client_ca_file: Option<PathBuf>,
    /// What they have taken back: their lists (RFC 5280, section 5), in PEM.
    pub client_crl_file: Option<PathBuf>,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
    /// The longest a handshake may take.
    pub handshake_timeout: Duration,
    /// How often the files are looked at.
    pub reload_interval: Duration,
}

/// A certificate with its chain, and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then those that lead to an authority.
    pub cert_file: PathBuf,
    /// The key.
    pub key_file: PathBuf,
}

/// Versions of TLS that are not broken (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V12,
    /// TLS 1.3 (RFC 8446).
    V13,
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    None,
    /// They are asked; one that is shown must be good.
    Optional,
    /// Without a good one there is no connection.
    Required,
}
