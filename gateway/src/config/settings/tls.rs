//! `[upstreams.NAME.tls]`.
//!
//! Guarantees: what is set up here works as far as files can tell: they were read, parsed and belong together. Must not: connect.

use std::path::PathBuf;

use super::super::path::KeyPath;
use super::super::raw::Tls as Raw;
use super::Check;
use crate::upstream::server_name;
use crate::upstream::settings::{EndpointSettings, Scheme, Tls, TlsError, TlsMaterial};

/// Authorities and chains are far smaller; a mistaken path may lead to anything.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// TLS for `endpoints`; none if none of them is `https`.
pub(super) fn tls(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Raw,
    endpoints: &[EndpointSettings],
) -> Option<Option<Tls>> {
    let verify = check.set(at, "verify", raw.verify);
    let roots = read(check, &at.key("ca_file"), raw.ca_file);
    let identity = identity(check, at, raw.client_cert_file, raw.client_key_file);
    let name = named(check, at, raw.server_name);
    let material = TlsMaterial {
        roots: roots?,
        identity: identity?,
        server_name: name?,
        verify: verify?,
    };
    let secure = endpoints.iter().filter(|one| one.scheme == Scheme::Https);
    let mut secure = secure.peekable();
    if secure.peek().is_none() {
        if material.roots.is_some() || material.identity.is_some() {
            let message =
                format!("`{at}` has no effect: no endpoint of this upstream is `https://`");
            check.report.warning(&message);
        }
        return Some(None);
    }
    if material.server_name.is_none()
        && let Some(one) = secure.find(|one| server_name(one.authority.host()).is_none())
    {
        let message = format!(
            "`{}` is not a name that a certificate can hold: write `server_name`",
            one.authority.host()
        );
        return check.problem(at, &message);
    }
    if !material.verify {
        let message = format!("`{at}.verify` is false: whoever answers is taken for the upstream");
        check.report.warning(&message);
    }
    match Tls::new(&material) {
        Ok(tls) => Some(Some(tls)),
        Err(error) => check.problem(&blamed(at, &error), &error.to_string()),
    }
}

/// The key that an error is about.
fn blamed(at: &KeyPath, error: &TlsError) -> KeyPath {
    match error {
        TlsError::System(_) | TlsError::Roots(_) => at.key("ca_file"),
        TlsError::Certificate(_) | TlsError::Identity(_) => at.key("client_cert_file"),
        TlsError::Key(_) => at.key("client_key_file"),
        TlsError::Setup(_) => at.clone(),
    }
}

fn identity(
    check: &mut Check<'_>,
    at: &KeyPath,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Option<Option<(Vec<u8>, Vec<u8>)>> {
    let (missing, other) = match (&certificate, &key) {
        (None, None) => return Some(None),
        (Some(_), Some(_)) => {
            let certificate = read(check, &at.key("client_cert_file"), certificate);
            let key = read(check, &at.key("client_key_file"), key);
            return Some(certificate?.zip(key?));
        }
        (None, Some(_)) => ("client_cert_file", "client_key_file"),
        (Some(_), None) => ("client_key_file", "client_cert_file"),
    };
    let message = format!("this needs `{missing}` beside it");
    check.problem(&at.key(other), &message)
}

fn read(check: &mut Check<'_>, path: &KeyPath, file: Option<PathBuf>) -> Option<Option<Vec<u8>>> {
    let Some(file) = file else {
        return Some(None);
    };
    let shown = file.display();
    let length = std::fs::metadata(&file).map(|metadata| metadata.len());
    let bytes = length.and_then(|length| match length {
        ..=MAX_FILE => std::fs::read(&file),
        _ => Err(std::io::ErrorKind::FileTooLarge.into()),
    });
    match bytes {
        Ok(bytes) => Some(Some(bytes)),
        Err(error) => check.problem(path, &format!("`{shown}` cannot be read: {error}")),
    }
}

fn named(
    check: &mut Check<'_>,
    at: &KeyPath,
    name: Option<String>,
) -> Option<Option<rustls_pki_types::ServerName<'static>>> {
    let Some(name) = name else {
        return Some(None);
    };
    match server_name(&name) {
        Some(name) => Some(Some(name)),
        None => check.problem(
            &at.key("server_name"),
            &format!("`{name}` is not a host: write a name like `api.internal`, without a port"),
        ),
    }
}
