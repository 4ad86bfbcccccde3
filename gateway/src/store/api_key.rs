//! What is kept of an API key that was handed out: everything but the key.
//!
//! Guarantees: known by a SHA-256 alone. Must not: decide whether a key that is known may do anything.

use std::fmt::Write as _;

/// SHA-256 of a key.
pub type KeyHash = [u8; 32];

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Whose it is.
    pub id: String,
    /// Its plan.
    pub plan: Option<String>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

/// A hash as it stands in names and files: 64 hexadecimal digits.
#[must_use]
pub fn hexadecimal(hash: &KeyHash) -> String {
    hash.iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
