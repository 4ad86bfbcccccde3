//! Authorities, the certificates they make, and clients that believe them.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An authority, with the files of what it made.
pub(crate) struct Authority {
    dir: TempDir,
    root: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Else root and leaf have one name, which OpenSSL takes for one certificate.
        params.distinguished_name.push(DnType::CommonName, "a root");
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("ca.pem"), root.pem()).unwrap();
        Self { dir, root }
    }

    /// Makes `NAME.pem` and `NAME.key` for `hosts`, in place of those that are there.
    pub(crate) fn issue(&self, name: &str, hosts: &[&str]) -> CertificateDer<'static> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(hosts).unwrap();
        let certificate = params.signed_by(&key, &self.root).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        certificate.der().clone()
    }

    /// Makes `revoked.pem`, the list of what was taken back, in place of the one that is there.
    pub(crate) fn revoke(&self, certificates: &[&CertificateDer<'_>]) {
        let then = rcgen::date_time_ymd(2024, 1, 1);
        let revoked = certificates.iter().map(|der| {
            let (_, certificate) = x509_parser::parse_x509_certificate(der).unwrap();
            RevokedCertParams {
                serial_number: SerialNumber::from_slice(certificate.raw_serial()),
                revocation_time: then,
                reason_code: None,
                invalidity_date: None,
            }
        });
        let list = CertificateRevocationListParams {
            this_update: then,
            // Long ago: a list past its date holds.
            next_update: rcgen::date_time_ymd(2024, 1, 2),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.root).unwrap().pem().unwrap();
        std::fs::write(self.file("revoked.pem"), list).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// The variables that give a gateway these certificates, in this order.
    pub(crate) fn variables(&self, names: &[&str]) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let key = format!("GATEWAY__SERVER__TLS__CERTIFICATES__{index}");
            all.push((
                format!("{key}__CERT_FILE"),
                self.file(&format!("{name}.pem")),
            ));
            all.push((
                format!("{key}__KEY_FILE"),
                self.file(&format!("{name}.key")),
            ));
        }
        all
    }

    /// A client that believes this authority and shows `own`, if it has one, of `whose`.
    pub(crate) fn client(&self, own: Option<(&Self, &str)>) -> Caller {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        self.client_of(provider, rustls::ALL_VERSIONS, own)
    }

    /// A client that speaks `version` only.
    pub(crate) fn client_speaking(&self, version: &'static SupportedProtocolVersion) -> Caller {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        self.client_of(provider, &[version], None)
    }

    fn client_of(
        &self,
        provider: Arc<rustls::crypto::CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
        own: Option<(&Self, &str)>,
    ) -> Caller {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((whose, name)) => {
                let file = |end: &str| whose.file(&format!("{name}.{end}"));
                let chain = vec![CertificateDer::from_pem_file(file("pem")).unwrap()];
                let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        Caller(Arc::new(config))
    }
}

/// A client before it connects.
pub(crate) struct Caller(Arc<ClientConfig>);

impl Caller {
    /// Connects as if to `host`, offering `protocols`.
    pub(crate) async fn call(
        &self,
        address: SocketAddr,
        host: &str,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.over(stream, host, protocols).await
    }

    /// The same over a connection that is there.
    pub(crate) async fn over(
        &self,
        stream: TcpStream,
        host: &str,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let names = protocols.iter().map(|name| name.as_bytes().to_vec());
        let name = ServerName::try_from(host.to_owned()).unwrap();
        TlsConnector::from(Arc::clone(&self.0))
            .with_alpn(names.collect())
            .connect(name, stream)
            .await
    }
}

/// What a server showed.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}
