//! `REDIS_URL`, or `REDIS_HOST` with `REDIS_PORT`, `REDIS_PASSWORD` and `REDIS_DB`, into one store URL.

use serde_json::Value;

use super::Plain;
use crate::config::path::KeyPath;

/// Puts the store's URL together.
pub(super) fn overlay(plain: &mut Plain<'_>) {
    let url = KeyPath::default().key("store").key("url");
    if plain.get("REDIS_URL").is_some() {
        for name in ["REDIS_HOST", "REDIS_PASSWORD", "REDIS_DB"] {
            if plain.get(name).is_some() {
                plain
                    .report
                    .warning(&format!("{name} has no effect: REDIS_URL says it all"));
            }
        }
        plain.put("REDIS_URL", &url, |text| Ok(text.into()));
        return;
    }
    let port = port(plain);
    let user = plain
        .get("REDIS_PASSWORD")
        .map(|password| format!(":{}@", percent_encoded(password)));
    let database = plain.get("REDIS_DB").map(|number| format!("/{number}"));
    if let Some(number) = plain
        .get("REDIS_DB")
        .filter(|number| number.parse::<u32>().is_err())
    {
        let message = format!("`{number}` is not the number of a database: write one like `0`");
        plain.put("REDIS_DB", &url, |_| Err(message));
        return;
    }
    plain.put("REDIS_HOST", &url, |host| {
        let port = port?;
        let bare_v6 = host.contains(':') && !host.starts_with('[');
        let host = if bare_v6 {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let (user, database) = (user.unwrap_or_default(), database.unwrap_or_default());
        Ok(Value::from(format!(
            "redis://{user}{host}:{port}{database}"
        )))
    });
}

/// `REDIS_PORT`. Kubernetes sets it to `tcp://ADDRESS:PORT` in every pod beside a service named `redis`; that is not
/// what anybody wrote, and is passed over.
fn port(plain: &mut Plain<'_>) -> Result<u16, String> {
    match plain.get("REDIS_PORT") {
        None => Ok(6379),
        Some(text) if text.starts_with("tcp://") => {
            if plain.get("REDIS_HOST").is_some() {
                plain.report.warning("REDIS_PORT is the link Kubernetes makes of a service named `redis`, not a port: 6379 is used");
            }
            Ok(6379)
        }
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!(
                "REDIS_PORT is `{text}`, which is not a port: write a number from 1 to 65535"
            )),
        },
    }
}

/// A password may hold what has a meaning in a URL.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
