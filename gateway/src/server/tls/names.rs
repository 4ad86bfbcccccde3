//! Which certificate a client is shown: the one for the host it names (SNI, RFC 6066 section 3). Must not: read files.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::load::Loaded;

/// Certificates by name.
#[derive(Debug)]
pub(super) struct Names {
    names: BTreeMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl Names {
    /// Of several for one name the first is shown. None without a certificate.
    pub(super) fn new(certificates: &[Loaded]) -> Option<Self> {
        let mut names = BTreeMap::new();
        for one in certificates {
            for name in &one.names {
                names
                    .entry(name.clone())
                    .or_insert_with(|| Arc::clone(&one.key));
            }
        }
        let first = Arc::clone(&certificates.first()?.key);
        Some(Self { names, first })
    }

    /// The certificate for `host`: its own, or one for all hosts of its domain (RFC 6125, section 6.4.3: one label), or the first.
    fn find(&self, host: &str) -> &Arc<CertifiedKey> {
        let host = host.to_ascii_lowercase();
        let wild = || {
            let (_, domain) = host.split_once('.')?;
            self.names.get(&format!("*.{domain}"))
        };
        let own = self.names.get(&host);
        own.or_else(wild).unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().unwrap_or_default();
        Some(Arc::clone(self.find(host)))
    }
}
