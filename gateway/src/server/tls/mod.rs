//! TLS towards clients: the handshake, the certificates, and their exchange while running.
//!
//! Guarantees: files are read by nobody but `load`, [`Tls::reload`] and [`Tls::check`]; what cannot be used changes nothing; each
//! handshake uses what is newest and has a deadline; early data is never accepted, because it can be replayed. Must not: speak HTTP.

mod load;
mod names;
mod settings;

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use http::HeaderValue;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::telemetry::Counter;
use crate::telemetry::metrics::Metrics;
pub use load::TlsError;
use names::Names;
pub use settings::{CertificateFiles, ClientAuth, TlsSettings, TlsVersion};

/// The names of protocols in ALPN (RFC 7301; RFC 9113, section 3.2).
const H2: &[u8] = b"h2";
const HTTP_11: &[u8] = b"http/1.1";

/// TLS as it is spoken now; one for the process.
#[derive(Debug)]
pub struct Tls {
    settings: ArcSwap<TlsSettings>,
    current: ArcSwap<ServerConfig>,
    watched: Mutex<Watched>,
    metrics: Arc<Metrics>,
    good: Arc<Counter>,
    failed: Arc<Counter>,
    late: Arc<Counter>,
}

/// What was last seen of the files.
#[derive(Debug, Default)]
struct Watched {
    stamps: Vec<Option<Stamp>>,
    /// The names whose ends are exposed.
    labels: Vec<String>,
    complaint: Option<String>,
}

/// When a file was changed, how long it is, and which one it is: a rename may keep the first two.
type Stamp = (SystemTime, u64, u64);

/// Everything read from the files at one time.
struct Material {
    config: Arc<ServerConfig>,
    ends: Vec<(String, i64)>,
}

/// A handshake that succeeded.
pub(super) struct Accepted<T> {
    pub(super) stream: TlsStream<T>,
    pub(super) is_h2: bool,
    /// The client's certificate as `Client-Cert` wants it (RFC 9440, section 2.1).
    pub(super) certificate: Option<HeaderValue>,
}

impl Tls {
    /// Reads what `settings` name.
    ///
    /// # Errors
    /// [`TlsError`] names the file at fault.
    pub fn load(settings: &TlsSettings, metrics: &Arc<Metrics>) -> Result<Arc<Self>, TlsError> {
        let handshakes = |result| metrics.entrance.tls_handshakes.with(&[result]);
        // From the start: a counter that begins with the first failure shows no increase by it.
        for result in ["success", "failure"] {
            let _ = metrics.entrance.tls_reloads.with(&[result]);
        }
        let stamps = stamps(settings);
        let Material { config, ends } = material(settings)?;
        let tls = Self {
            current: ArcSwap::new(config),
            watched: Mutex::default(),
            good: handshakes("success"),
            failed: handshakes("failure"),
            late: handshakes("timeout"),
            metrics: Arc::clone(metrics),
            settings: ArcSwap::from_pointee(settings.clone()),
        };
        tls.show(&mut tls.lock(), stamps, ends);
        Ok(Arc::new(tls))
    }

    /// Everything that is wrong with what `settings` name.
    #[must_use]
    pub fn faults(settings: &TlsSettings) -> Vec<TlsError> {
        let provider = Arc::new(ring::default_provider());
        let pairs = settings.certificates.iter();
        let pairs = pairs.filter_map(|files| load::certificate(files, &provider).err());
        let clients = load::client_verifier(settings, &provider).err();
        let faults: Vec<_> = pairs.chain(clients).collect();
        match (faults.is_empty(), material(settings)) {
            (true, Err(error)) => vec![error],
            _ => faults,
        }
    }

    /// How often [`Self::check`] should be called.
    #[must_use]
    pub fn reload_interval(&self) -> Duration {
        self.settings.load().reload_interval
    }

    /// Speaks as `settings` say from now on, with their files as they are. Where to listen is not among what can be changed.
    ///
    /// # Errors
    /// As [`Self::load`]; what was used before stays.
    pub fn replace(&self, settings: &TlsSettings) -> Result<(), TlsError> {
        let mut watched = self.lock();
        let stamps = stamps(settings);
        let Material { config, ends } = material(settings)?;
        self.settings.store(Arc::new(settings.clone()));
        self.current.store(config);
        self.show(&mut watched, stamps, ends);
        Ok(())
    }

    /// Reads the files again, and uses them from now on if they can be used. Connections that are open stay as they are.
    ///
    /// # Errors
    /// As [`Self::load`]; what was used before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let mut watched = self.lock();
        // Looked at before they are read: what changes meanwhile is seen the next time.
        let settings = self.settings.load();
        let stamps = stamps(&settings);
        let outcome = material(&settings);
        let reloads = |result| self.metrics.entrance.tls_reloads.with(&[result]);
        match outcome {
            Ok(Material { config, ends }) => {
                self.current.store(config);
                self.show(&mut watched, stamps, ends);
                reloads("success").inc();
                tracing::info!(event = "tls_reloaded", names = ?watched.labels);
                Ok(())
            }
            Err(error) => {
                let complaint = error.to_string();
                // Half of a pair may have been written: looked at again until it is right, and complained of once.
                if watched.complaint.as_ref() != Some(&complaint) {
                    reloads("failure").inc();
                    tracing::error!(event = "tls_reload_failed", %error);
                    watched.complaint = Some(complaint);
                }
                Err(error)
            }
        }
    }

    /// Reloads if a file was changed since it was read.
    pub fn check(&self) {
        let changed = self.lock().stamps != stamps(&self.settings.load());
        if changed {
            // What is wrong has been logged and counted.
            let _ = self.reload();
        }
    }

    /// Shakes hands with a client; none if that fails or takes too long.
    pub(super) async fn accept<T>(&self, stream: T) -> Option<Accepted<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.current.load_full());
        let accepting = timeout(
            self.settings.load().handshake_timeout,
            acceptor.accept(stream),
        );
        let stream = match accepting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.failed.inc();
                tracing::debug!(event = "tls_handshake_failed", %error);
                return None;
            }
            Err(_) => {
                self.late.inc();
                return None;
            }
        };
        self.good.inc();
        let session = stream.get_ref().1;
        let is_h2 = session.alpn_protocol() == Some(H2);
        let leaf = session.peer_certificates().and_then(<[_]>::first);
        let certificate = leaf.and_then(|leaf| {
            let text = STANDARD.encode(leaf);
            HeaderValue::try_from(format!(":{text}:")).ok()
        });
        Some(Accepted {
            stream,
            is_h2,
            certificate,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exposes when each certificate ends; of two with one name the one that ends first counts.
    fn show(&self, watched: &mut Watched, stamps: Vec<Option<Stamp>>, ends: Vec<(String, i64)>) {
        let family = &self.metrics.entrance.tls_expiry;
        for label in &watched.labels {
            family.remove(&[label]);
        }
        watched.labels.clear();
        for (label, end) in ends {
            let gauge = family.with(&[&label]);
            if watched.labels.contains(&label) {
                gauge.set(gauge.get().min(end));
            } else {
                gauge.set(end);
                watched.labels.push(label);
            }
        }
        watched.stamps = stamps;
        watched.complaint = None;
    }
}

fn material(settings: &TlsSettings) -> Result<Material, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let certificates = settings
        .certificates
        .iter()
        .map(|files| load::certificate(files, &provider))
        .collect::<Result<Vec<_>, _>>()?;
    let names = Names::new(&certificates)
        .ok_or_else(|| TlsError::Setup("there is no certificate".to_owned()))?;
    let versions: &[_] = match settings.min_version {
        TlsVersion::V12 => &[&TLS13, &TLS12],
        TlsVersion::V13 => &[&TLS13],
    };
    let setup = |error: rustls::Error| TlsError::Setup(error.to_string());
    let verifier = load::client_verifier(settings, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(setup)?;
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_cert_resolver(Arc::new(names));
    // Sessions end with the material they were made with: a client whose authority is gone, or that
    // was taken back, does not come back by one.
    config.ticketer = ring::Ticketer::new().map_err(setup)?;
    config.alpn_protocols = match settings.http2 {
        true => vec![H2.to_vec(), HTTP_11.to_vec()],
        false => vec![HTTP_11.to_vec()],
    };
    Ok(Material {
        config: Arc::new(config),
        ends: certificates
            .into_iter()
            .map(|one| (one.label, one.not_after))
            .collect(),
    })
}

/// What the system says of each file; none of one that is not there.
fn stamps(settings: &TlsSettings) -> Vec<Option<Stamp>> {
    let pairs = settings.certificates.iter();
    let files = pairs.flat_map(|pair| [&pair.cert_file, &pair.key_file]);
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    };
    let clients = [&settings.client_ca_file, &settings.client_crl_file];
    let clients = clients.into_iter().flatten();
    files.chain(clients).map(stamp).collect()
}
