//! An upstream's endpoint as written: `http://HOST:PORT`, `https://` or `h2c://`.
//!
//! Guarantees: each thing that can be wrong with a URL is named. Must not: resolve or connect.

use http::uri::Authority;
use serde_json::{Value, json};

use super::super::secret;
use super::scalar::Scalar;
use crate::upstream::settings::{EndpointSettings, Scheme};

impl Scalar for EndpointSettings {
    const EXPECTED: &'static str = "a URL like `http://10.0.0.7:8080`";

    fn parse(text: &str) -> Result<Self, String> {
        let shown = secret::mask(text);
        let Some((scheme, rest)) = text.trim().split_once("://") else {
            return Err(no_scheme(text));
        };
        let scheme = known_scheme(scheme)?;
        let (authority, path) = rest
            .find(['/', '?', '#'])
            .map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(format!(
                "`{shown}` has credentials, which are not sent upstream: leave them out"
            ));
        }
        if !matches!(path, "" | "/") {
            return Err(format!(
                "`{shown}` goes beyond host and port: leave out `{path}`, and use a route's `rewrite` for paths"
            ));
        }
        Ok(Self {
            scheme,
            authority: known_authority(authority, &shown)?,
        })
    }

    fn hints() -> Value {
        json!({ "examples": ["http://10.0.0.7:8080", "https://api.internal", "h2c://10.0.0.7:50051"] })
    }
}

fn no_scheme(text: &str) -> String {
    match text.trim() {
        "" => "an endpoint is empty: write `http://HOST:PORT`".to_owned(),
        // What stands before an `@` may be a password.
        other if other.contains('@') => {
            "this URL has no scheme: write `http://HOST:PORT`".to_owned()
        }
        other => format!("`{other}` has no scheme: write `http://{other}`"),
    }
}

fn known_scheme(scheme: &str) -> Result<Scheme, String> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        "h2c" => Ok(Scheme::H2c),
        _ => Err(format!(
            "`{scheme}` is not a scheme of an upstream: write `http://HOST:PORT`, `https://HOST:PORT` or `h2c://HOST:PORT`"
        )),
    }
}

pub(super) fn known_authority(text: &str, shown: &str) -> Result<Authority, String> {
    // An IPv6 host has colons of its own, within brackets.
    let after_host = text.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match text.get(after_host..).and_then(|rest| rest.rfind(':')) {
        Some(at) => (text.get(..after_host + at), text.get(after_host + at + 1..)),
        None => (Some(text), None),
    };
    if host.is_none_or(str::is_empty) {
        return Err(format!("`{shown}` names no host: write `http://HOST:PORT`"));
    }
    if let Some(port) = port
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Err(format!(
            "`{port}` in `{shown}` is not a port: ports are 1 to 65535"
        ));
    }
    text.parse()
        .map_err(|_| format!("`{text}` is not a host and port: write `http://HOST:PORT`"))
}
