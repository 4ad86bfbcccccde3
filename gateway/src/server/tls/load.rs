//! From files to what TLS is spoken with. Must not: keep anything.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use super::settings::{CertificateFiles, ClientAuth, TlsSettings};

/// Authorities and chains are far smaller; a mistaken path may lead to anything.
const MAX_FILE: u64 = 4 << 20;

/// What [`TlsSettings::client_crl_file`] should hold.
const LIST: &str = "certificate revocation list";

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The system does not hand one over.
    #[error("`{}` cannot be read: {reason}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says, or what is wrong with its size.
        reason: String,
    },
    /// It does not hold what it should.
    #[error("`{}` holds no {what}: {reason}", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What it holds instead.
        reason: String,
    },
    /// A certificate and a key that do not belong together, or are of a kind nobody speaks.
    #[error("`{}` and its key cannot be used together: {reason}", .file.display())]
    Pair {
        /// The certificate's file.
        file: PathBuf,
        /// What the library says.
        reason: rustls::Error,
    },
    /// Something else the library wants.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl TlsError {
    /// The file at fault, when it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Read { file, .. } | Self::Content { file, .. } | Self::Pair { file, .. } => {
                Some(file)
            }
            Self::Setup(_) => None,
        }
    }
}

/// A certificate with what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) key: Arc<CertifiedKey>,
    /// The names it is for, in lower case; `*.` before some.
    pub(super) names: Vec<String>,
    /// What people call it: its first name.
    pub(super) label: String,
    /// When it ends, in seconds since 1970.
    pub(super) not_after: i64,
}

/// Reads one certificate with its chain and its key.
pub(super) fn certificate(
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<Loaded, TlsError> {
    let file = &files.cert_file;
    let chain = certificates(file)?;
    let content = |what, reason: String| TlsError::Content {
        file: file.clone(),
        what,
        reason,
    };
    let leaf = chain.first().map(AsRef::as_ref).unwrap_or_default();
    let (_, leaf) = x509_parser::parse_x509_certificate(leaf)
        .map_err(|error| content("certificate", error.to_string()))?;
    let names = names(&leaf);
    let label = names.first().cloned();
    let label = label.unwrap_or_else(|| leaf.subject().to_string());
    let not_after = leaf.validity().not_after.timestamp();
    let key_file = &files.key_file;
    let key =
        PrivateKeyDer::from_pem_slice(&read(key_file)?).map_err(|error| TlsError::Content {
            file: key_file.clone(),
            what: "private key",
            reason: error.to_string(),
        })?;
    let key = CertifiedKey::from_der(chain, key, provider).map_err(|reason| TlsError::Pair {
        file: file.clone(),
        reason,
    })?;
    Ok(Loaded {
        key: Arc::new(key),
        names,
        label,
        not_after,
    })
}

/// Who checks the certificates of clients, if they are asked for any.
pub(super) fn client_verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let (ClientAuth::Optional | ClientAuth::Required, Some(file)) =
        (settings.client_auth, &settings.client_ca_file)
    else {
        return Ok(None);
    };
    let content = |reason: String| TlsError::Content {
        file: file.clone(),
        what: "authority",
        reason,
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(file)? {
        roots
            .add(authority)
            .map_err(|error| content(error.to_string()))?;
    }
    let crls = match &settings.client_crl_file {
        Some(file) => lists(file)?,
        None => Vec::new(),
    };
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(crls);
    let builder = match settings.client_auth {
        ClientAuth::Required => builder,
        ClientAuth::None | ClientAuth::Optional => builder.allow_unauthenticated(),
    };
    let verifier = builder
        .build()
        .map_err(|error| match (&error, &settings.client_crl_file) {
            (VerifierBuilderError::InvalidCrl(_), Some(file)) => TlsError::Content {
                file: file.clone(),
                what: LIST,
                reason: error.to_string(),
            },
            _ => content(error.to_string()),
        })?;
    Ok(Some(verifier))
}

/// What authorities have taken back: at least one list.
fn lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let content = |reason: String| TlsError::Content {
        file: file.to_owned(),
        what: LIST,
        reason,
    };
    let bytes = read(file)?;
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    let lists = lists.map_err(|error| content(error.to_string()))?;
    if lists.is_empty() {
        return Err(content("it is not PEM with `BEGIN X509 CRL`".to_owned()));
    }
    Ok(lists)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = |reason: String| TlsError::Content {
        file: file.to_owned(),
        what: "certificate",
        reason,
    };
    let bytes = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|error| content(error.to_string()))?;
    if chain.is_empty() {
        return Err(content("it is not PEM with `BEGIN CERTIFICATE`".to_owned()));
    }
    Ok(chain)
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let fail = |reason: String| TlsError::Read {
        file: file.to_owned(),
        reason,
    };
    let metadata = std::fs::metadata(file).map_err(|error| fail(error.to_string()))?;
    if metadata.len() > MAX_FILE {
        return Err(fail(format!("it is larger than {MAX_FILE} bytes")));
    }
    std::fs::read(file).map_err(|error| fail(error.to_string()))
}

/// The hosts a certificate is for (RFC 6125, section 6.4): its alternative names, or the common name of an old one.
fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let alternatives = leaf.subject_alternative_name().ok().flatten();
    let names = alternatives
        .iter()
        .flat_map(|names| &names.value.general_names);
    let names: Vec<String> = names.filter_map(name).collect();
    if !names.is_empty() {
        return names;
    }
    let common = leaf.subject().iter_common_name();
    let common = common.filter_map(|name| name.as_str().ok());
    common.map(str::to_ascii_lowercase).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let sixteen = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            four.or(sixteen).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
