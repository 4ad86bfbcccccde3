//! Values that must not be printed, and texts with passwords in them made printable.
//!
//! Guarantees: `Debug` and `Display` of a [`Secret`] mask its password. Must not: keep a secret anywhere else.

use std::fmt;
use std::path::Path;

/// What stands for a password in everything printed.
pub(super) const MASK: &str = "***";

/// A URL that may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The whole text, for the one place that needs it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask(&self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret of which nothing may be printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(String);

impl Password {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The whole text, for the one place that needs it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The secret in a file, without the line break that editors and `echo` leave at its end.
///
/// The error names the file and never quotes it.
pub(super) fn read(file: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("`{}` cannot be read: {error}", file.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("`{}` is empty", file.display())),
        secret => Ok(Secret::new(secret)),
    }
}

/// `text` with its password masked: `redis://user:***@host`, `unix:///path?pass=***`.
///
/// A password may hold any sign, quotes and spaces among them, so everything up to the last `@` is taken for credentials:
/// rather too much masked than too little.
pub(super) fn mask(text: &str) -> String {
    mask_parameter(&mask_credentials(text))
}

fn mask_credentials(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let (start, credentials) = match before.split_once("://") {
        Some((scheme, credentials)) => (format!("{scheme}://"), credentials),
        // Without a scheme only `user:password` looks like credentials: an `@` may well stand in a path.
        None if !before.contains(':') => return text.to_owned(),
        None => match before.split_once(['"', '`']) {
            Some((_, credentials)) => (before.replacen(credentials, "", 1), credentials),
            None => (String::new(), before),
        },
    };
    match credentials.split_once(':') {
        Some((user, _)) => format!("{start}{user}:{MASK}@{host}"),
        None => format!("{start}{MASK}@{host}"),
    }
}

/// `unix://` addresses carry their password as a parameter.
fn mask_parameter(text: &str) -> String {
    let Some(at) = ["?pass=", "&pass=", "?password=", "&password="]
        .iter()
        .find_map(|name| text.find(name).map(|at| at + name.len()))
    else {
        return text.to_owned();
    };
    let (before, value) = text.split_at(at);
    let after = value
        .find(['&', '"', '`'])
        .map_or("", |end| value.split_at(end).1);
    format!("{before}{MASK}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_wherever_they_stand() {
        for (text, masked) in [
            ("redis://app:hunter2@db:6379/1", "redis://app:***@db:6379/1"),
            ("redis://:p@ss@db", "redis://:***@db"),
            ("redis://:two words@db", "redis://:***@db"),
            (
                "this is \"redis://:p\\\"q@db\"",
                "this is \"redis://:***@db\"",
            ),
            ("this is \"app:hunter2@db\"", "this is \"app:***@db\""),
            ("`http://token@host` is", "`http://***@host` is"),
            (
                "unix:///r.sock?db=1&pass=hunter2&user=a",
                "unix:///r.sock?db=1&pass=***&user=a",
            ),
            (
                "`/users/@{id}` and `http://b`",
                "`/users/@{id}` and `http://b`",
            ),
        ] {
            assert_eq!(mask(text), masked);
            assert_eq!(format!("{:?}", Secret::new(text)), masked);
        }
    }
}
