//! `[server.tls]`.
//!
//! Guarantees: what is set up here works as far as files can tell: they were read, parsed and belong together. Must not: listen.

use super::super::path::KeyPath;
use super::super::raw::{Certificate, ServerTls as Raw, Text};
use super::Check;
use crate::server::{CertificateFiles, ClientAuth, Tls, TlsError, TlsSettings};

/// TLS towards clients; none without a certificate.
pub(super) fn tls(check: &mut Check<'_>, at: &KeyPath, raw: &Raw) -> Option<Option<TlsSettings>> {
    let certificates = certificates(check, at, raw);
    let min_version = check.set(at, "min_version", raw.min_version.clone());
    let client_auth = check.set(at, "client_auth", raw.client_auth.clone());
    let http2 = check.set(at, "http2", raw.http2);
    let handshake = check.timeout(at, "handshake_timeout", raw.handshake_timeout.clone());
    let reload = check.timeout(at, "reload_interval", raw.reload_interval.clone());
    let settings = TlsSettings {
        listen: raw.listen.as_ref().map(|Text(listen)| *listen),
        certificates: certificates?,
        min_version: min_version?.0,
        client_auth: client_auth?.0,
        client_ca_file: raw.client_ca_file.clone(),
        client_crl_file: raw.client_crl_file.clone(),
        http2: http2?,
        handshake_timeout: handshake?,
        reload_interval: reload?,
    };
    if settings.certificates.is_empty() {
        return without(check, at, &settings);
    }
    clients(check, at, &settings)?;
    let faults = Tls::faults(&settings);
    for fault in &faults {
        let _: Option<()> = check.problem(&blamed(at, &settings, fault), &fault.to_string());
    }
    faults.is_empty().then_some(Some(settings))
}

/// What makes no sense where there is no certificate.
fn without(
    check: &mut Check<'_>,
    at: &KeyPath,
    settings: &TlsSettings,
) -> Option<Option<TlsSettings>> {
    let key = match settings {
        TlsSettings {
            listen: Some(_), ..
        } => "listen",
        TlsSettings {
            client_auth: ClientAuth::Optional | ClientAuth::Required,
            ..
        } => "client_auth",
        TlsSettings {
            client_ca_file: Some(_),
            ..
        } => "client_ca_file",
        TlsSettings {
            client_crl_file: Some(_),
            ..
        } => "client_crl_file",
        _ => return Some(None),
    };
    check.problem(&at.key(key), "this needs `certificates` beside it")
}

/// Clients are asked for certificates exactly when it is known who vouches for them.
fn clients(check: &mut Check<'_>, at: &KeyPath, settings: &TlsSettings) -> Option<()> {
    if settings.client_crl_file.is_some() && settings.client_ca_file.is_none() {
        let message = "this needs `client_ca_file` beside it: whose lists they are";
        return check.problem(&at.key("client_crl_file"), message);
    }
    match (settings.client_auth, &settings.client_ca_file) {
        (ClientAuth::None, Some(_)) => {
            let message = "this has no effect while `client_auth` is `none`: write `optional` or `required` there";
            check.problem(&at.key("client_ca_file"), message)
        }
        (ClientAuth::Optional | ClientAuth::Required, None) => {
            let message = "this needs `client_ca_file` beside it: who vouches for clients";
            check.problem(&at.key("client_auth"), message)
        }
        _ => Some(()),
    }
}

fn certificates(check: &mut Check<'_>, at: &KeyPath, raw: &Raw) -> Option<Vec<CertificateFiles>> {
    let listed = raw.certificates.as_deref();
    let present = listed.unwrap_or_default().iter().enumerate();
    let mut all = Some(Vec::new());
    for (index, one) in present.filter_map(|(index, one)| Some((index, one.as_ref()?))) {
        let Certificate {
            cert_file,
            key_file,
        } = one;
        let at = at.key("certificates").index(index);
        let hint = "write the path of a PEM file";
        let cert_file = check.required(&at, "cert_file", cert_file.clone(), hint);
        let key_file = check.required(&at, "key_file", key_file.clone(), hint);
        let files = cert_file.zip(key_file);
        all = all.zip(files).map(|(mut all, (cert_file, key_file))| {
            all.push(CertificateFiles {
                cert_file,
                key_file,
            });
            all
        });
    }
    all
}

/// The key that an error is about.
fn blamed(at: &KeyPath, settings: &TlsSettings, error: &TlsError) -> KeyPath {
    let file = error.file();
    for (index, pair) in settings.certificates.iter().enumerate() {
        let at = at.key("certificates").index(index);
        if file == Some(&pair.cert_file) {
            return at.key("cert_file");
        }
        if file == Some(&pair.key_file) {
            return at.key("key_file");
        }
    }
    match file {
        Some(file) if settings.client_crl_file.as_deref() == Some(file) => {
            at.key("client_crl_file")
        }
        Some(_) => at.key("client_ca_file"),
        None => at.clone(),
    }
}
