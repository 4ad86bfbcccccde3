//! TLS towards an upstream: whom it is believed, what is shown to it, and the handshake.
//!
//! Guarantees: certificates and keys are parsed once for the process and shared by its threads, as are the sessions that later
//! connections resume (RFC 8446, section 2.2). Must not: read files, or believe anybody unless told to.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::anyone::Anyone;

/// The names of protocols in ALPN (RFC 7301, RFC 9113 section 3.2).
const H2: &[u8] = b"h2";
const HTTP_11: &[u8] = b"http/1.1";

/// What TLS towards one upstream is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsMaterial {
    /// Authorities in PEM; none for the system's.
    pub roots: Option<Vec<u8>>,
    /// What the gateway shows of itself, in PEM: a certificate with its chain, and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// The name asked for and expected, in place of the endpoint's host.
    pub server_name: Option<ServerName<'static>>,
    /// Whether the upstream must prove who it is.
    pub verify: bool,
}

/// What is wrong with the material.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The system has no authorities, or they cannot be read.
    #[error("the system's authorities cannot be used ({0}): name a file of your own")]
    System(String),
    /// The authorities are not certificates in PEM.
    #[error("no authority can be read from it: {0}")]
    Roots(String),
    /// The certificate shown is none.
    #[error("no certificate can be read from it: {0}")]
    Certificate(String),
    /// The key is none.
    #[error("no private key can be read from it: {0}")]
    Key(String),
    /// The certificate and the key do not belong together, or cannot be used.
    #[error("certificate and key cannot be used together: {0}")]
    Identity(rustls::Error),
    /// The library wants something else.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// TLS towards one upstream, ready for connections.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    material: Arc<TlsMaterial>,
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// Parses what there is.
    ///
    /// # Errors
    /// [`TlsError`] says what of it cannot be used.
    pub fn new(material: &TlsMaterial) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?;
        let builder = if material.verify {
            builder.with_webpki_verifier(verifier(material, provider)?)
        } else {
            let anyone = Arc::new(Anyone::new(provider));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        };
        let config = match &material.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(certificates(chain)?, private_key(key)?)
                .map_err(TlsError::Identity)?,
        };
        Ok(Self {
            connector: Arc::new(config).into(),
            material: Arc::new(material.clone()),
            server_name: material.server_name.clone(),
        })
    }

    /// Agrees on TLS over `stream`, and on one of the protocols offered. Whether that is HTTP/2 is told beside.
    ///
    /// # Errors
    /// The network's, the other side's alert, or a certificate that is not believed.
    pub(super) async fn connect(
        &self,
        host: &str,
        offer: Offer,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, bool)> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host).ok_or(io::ErrorKind::InvalidInput)?,
        };
        let stream = self
            .connector
            .with_alpn(offer.names())
            .connect(name, stream)
            .await?;
        let chosen = stream.get_ref().1.alpn_protocol();
        let is_h2 = chosen == Some(H2);
        if offer == Offer::Http2 && !is_h2 {
            return Err(io::Error::other("the other side does not speak HTTP/2"));
        }
        Ok((stream, is_h2))
    }
}

/// Made of the same: what is behind the same file's name may have changed.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.material == other.material
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// Which protocols are offered, the preferred one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Either,
    Http1,
    Http2,
}

impl Offer {
    fn names(self) -> Vec<Vec<u8>> {
        match self {
            Self::Either => vec![H2.to_vec(), HTTP_11.to_vec()],
            Self::Http1 => vec![HTTP_11.to_vec()],
            Self::Http2 => vec![H2.to_vec()],
        }
    }
}

/// Whether a handshake failed because of the certificate that was shown.
pub(super) fn is_certificate_error(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// The name of `host` for TLS; an IPv6 address stands in brackets in an authority, and not here.
#[must_use]
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = host.trim_matches(['[', ']']);
    ServerName::try_from(host.to_owned()).ok()
}

fn verifier(
    material: &TlsMaterial,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let roots = match &material.roots {
        None => system_roots()?,
        Some(pem) => own_roots(pem)?,
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| TlsError::Roots(error.to_string()))
}

fn own_roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| TlsError::Roots(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| TlsError::Roots(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(TlsError::Roots("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some systems ship a certificate that no library parses; the others are as good as they were.
    roots.add_parsable_certificates(loaded.certs);
    match (roots.is_empty(), loaded.errors.first()) {
        (false, _) => Ok(roots),
        (true, Some(error)) => Err(TlsError::System(error.to_string())),
        (true, None) => Err(TlsError::System("there are none".to_owned())),
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| TlsError::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate("it holds none".to_owned()));
    }
    Ok(chain)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| TlsError::Key(error.to_string()))
}
