//! `[auth.NAME] jwt`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use jsonwebtoken::{Algorithm, AlgorithmFamily};

use super::super::super::path::KeyPath;
use super::super::super::raw::{Jwt, Text, ToHeader, Wanted};
use super::super::super::secret;
use super::super::Check;
use super::ours;
use crate::policy::units::Micros;
use crate::proxy::settings::JwtSettings;
use crate::proxy::{KeySet, KeySource, Remote};

/// RFC 7518, section 3.2: a secret has at least as many bits as the hash.
const SHORTEST_SECRET: usize = 32;
/// A file of keys is no larger.
const LARGEST_FILE: u64 = 1 << 20;
/// Clocks are not this wrong.
const MOST_LEEWAY: Duration = Duration::from_secs(600);
/// Whoever publishes keys is not to be asked more often.
const LEAST_REFRESH: Duration = Duration::from_secs(10);

/// Signed tokens.
pub(super) fn jwt(check: &mut Check<'_>, at: &KeyPath, raw: Jwt) -> Option<JwtSettings> {
    let algorithms = algorithms(check, at, &raw);
    let keys = algorithms
        .as_deref()
        .and_then(|algorithms| keys(check, at, &raw, algorithms));
    let leeway = check
        .span(at, "leeway", raw.leeway)
        .map(Micros::to_duration);
    let leeway = match leeway {
        Some(leeway) if leeway > MOST_LEEWAY => check.problem(
            &at.key("leeway"),
            "tokens would be good long after their end: write `10m` or less",
        ),
        leeway => leeway,
    };
    let subject_claim = check.set(at, "subject_claim", raw.subject_claim);
    let mut headers = Vec::new();
    for (claim, ToHeader(Text(name))) in raw.claims_to_headers.unwrap_or_default() {
        let place = at.key("claims_to_headers").key(&claim);
        headers.push((claim, ours(check, &place, name)?));
    }
    let required = raw.required_claims.unwrap_or_default().into_iter();
    Some(JwtSettings {
        keys: keys?,
        algorithms: algorithms?,
        issuer: raw.issuer.map(|list| list.0).unwrap_or_default(),
        audience: raw.audience.map(|list| list.0).unwrap_or_default(),
        leeway: leeway?,
        subject_claim: subject_claim?,
        plan_claim: raw.plan_claim,
        claims_to_headers: headers,
        required_claims: required
            .map(|(claim, Wanted(value))| (claim, value))
            .collect(),
    })
}

/// The algorithms: of the kind of key that is given, so that no token can have one taken for another.
fn algorithms(check: &mut Check<'_>, at: &KeyPath, raw: &Jwt) -> Option<Vec<Algorithm>> {
    let hint = "write what the issuer signs with, like `[\"RS256\"]`";
    let listed = check.required(at, "algorithms", raw.algorithms.clone(), hint)?;
    let listed = check.list(at, "algorithms", Some(listed))?;
    let path = at.key("algorithms");
    let Some((_, Text(first))) = listed.first() else {
        return if check.tree.is_faulty(&path) {
            None
        } else {
            check.problem(&path, hint)
        };
    };
    let first = first.family();
    for (place, Text(algorithm)) in &listed {
        let secret = algorithm.family() == AlgorithmFamily::Hmac;
        if secret != raw.secret_file.is_some() {
            let message = if secret {
                format!(
                    "{algorithm:?} needs a shared secret: write `secret_file`, or the algorithm of the public key"
                )
            } else {
                format!(
                    "{algorithm:?} needs a public key: write `public_key_file`, `jwks_file` or `jwks_url`"
                )
            };
            return check.problem(place, &message);
        }
        if raw.public_key_file.is_some() && algorithm.family() != first {
            return check.problem(
                place,
                "one key has one kind of algorithm: leave out the others",
            );
        }
    }
    Some(
        listed
            .into_iter()
            .map(|(_, Text(algorithm))| algorithm)
            .collect(),
    )
}

fn keys(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: &Jwt,
    algorithms: &[Algorithm],
) -> Option<Arc<KeySource>> {
    let url = &raw.jwks_url;
    let source = match (&raw.secret_file, &raw.public_key_file, &raw.jwks_file, url) {
        (Some(file), None, None, None) => {
            let keys = shared_secret(file, algorithms);
            keys.map_err(|message| (at.key("secret_file"), message))
        }
        (None, Some(file), None, None) => {
            let read = contents(file).and_then(|pem| {
                let keys = KeySet::public_key(&pem, algorithms);
                keys.map_err(|error| format!("`{}`: {error}", file.display()))
            });
            read.map_err(|message| (at.key("public_key_file"), message))
        }
        (None, None, Some(file), None) => {
            let read = contents(file).and_then(|json| {
                let keys = KeySet::jwks(&json, algorithms);
                keys.map_err(|error| format!("`{}`: {error}", file.display()))
            });
            read.map_err(|message| (at.key("jwks_file"), message))
        }
        (None, None, None, Some(url)) => return remote(check, at, url, raw, algorithms),
        _ => {
            let message = "the issuer's keys are not there, or twice: write one of `secret_file`, `public_key_file`, `jwks_file` and `jwks_url`";
            return check.problem(at, message);
        }
    };
    match source {
        Ok(keys) => Some(Arc::new(KeySource::fixed(keys))),
        Err((place, message)) => check.problem(&place, &message),
    }
}

fn remote(
    check: &mut Check<'_>,
    at: &KeyPath,
    url: &str,
    raw: &Jwt,
    algorithms: &[Algorithm],
) -> Option<Arc<KeySource>> {
    let refresh = check.timeout(at, "refresh", raw.refresh.clone())?;
    if refresh < LEAST_REFRESH {
        let message = "this asks the issuer too often: write `10s` or more";
        return check.problem(&at.key("refresh"), message);
    }
    let place = at.key("jwks_url");
    let shown = secret::mask(url);
    let known = url.parse::<Uri>().ok().filter(|url| {
        let scheme = url.scheme();
        let plain = url
            .authority()
            .is_some_and(|one| !one.as_str().contains('@'));
        plain && (scheme == Some(&Scheme::HTTPS) || scheme == Some(&Scheme::HTTP))
    });
    let Some(url) = known else {
        let message = format!(
            "`{shown}` is not where keys are: write `https://HOST/PATH`, without credentials"
        );
        return check.problem(&place, &message);
    };
    let loopback = url
        .host()
        .is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]");
    if url.scheme() == Some(&Scheme::HTTP) && !loopback {
        check.report.warning(&format!(
            "{place}: `{shown}` comes without TLS: whoever is on the way can have their own tokens believed"
        ));
    }
    Some(Arc::new(KeySource::remote(Remote {
        url,
        refresh,
        algorithms: algorithms.to_vec(),
    })))
}

fn shared_secret(file: &Path, algorithms: &[Algorithm]) -> Result<KeySet, String> {
    let secret = secret::read(file)?;
    let bytes = secret.expose().as_bytes();
    if bytes.len() < SHORTEST_SECRET {
        return Err(format!(
            "`{}` has fewer than {SHORTEST_SECRET} bytes, which can be guessed: `openssl rand -hex 32` makes a secret",
            file.display()
        ));
    }
    Ok(KeySet::secret(bytes, algorithms))
}

fn contents(file: &Path) -> Result<Vec<u8>, String> {
    let unreadable =
        |error: std::io::Error| format!("`{}` cannot be read: {error}", file.display());
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    if size > LARGEST_FILE {
        return Err(format!(
            "`{}` has {size} bytes, more than the {LARGEST_FILE} allowed",
            file.display()
        ));
    }
    std::fs::read(file).map_err(unreadable)
}
