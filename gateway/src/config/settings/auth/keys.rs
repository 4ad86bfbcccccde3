//! The file of API keys.
//!
//! Guarantees: an error names the file and the entry. Must not: hold a key: the file has none.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::super::super::file;
use crate::proxy::settings::EnrolledKey;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    sha256: String,
    plan: Option<String>,
    expires: Option<String>,
}

/// The keys in `path`.
pub(super) fn read(path: &Path) -> Result<Vec<EnrolledKey>, String> {
    let shown = path.display();
    let tree = file::read(path).map_err(|problem| problem.to_string())?;
    let read: Keys = serde_path_to_error::deserialize(tree.root())
        .map_err(|error| format!("`{shown}`: {}: {}", error.path(), error.inner()))?;
    let mut keys: Vec<EnrolledKey> = Vec::with_capacity(read.keys.len());
    for (index, key) in read.keys.into_iter().enumerate() {
        let key = enrolled(key).map_err(|why| format!("`{shown}`: keys[{index}]: {why}"))?;
        if let Some(same) = keys.iter().find(|other| other.hash == key.hash) {
            return Err(format!(
                "`{shown}`: keys[{index}]: `{}` has the same key: one of the two would never be known",
                same.id
            ));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn enrolled(key: Key) -> Result<EnrolledKey, String> {
    if key.id.is_empty()
        || key.id.len() > 128
        || !key.id.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err("`id` is 1 to 128 letters, digits or signs, without spaces".to_owned());
    }
    let hash = hash(&key.sha256).ok_or(
        "`sha256` is 64 hexadecimal digits: `gateway hash-key` reads a key and prints them",
    )?;
    let expires = key.expires.map(|text| moment(&text)).transpose()?;
    Ok(EnrolledKey {
        id: key.id.into(),
        hash,
        plan: key.plan.map(Arc::from),
        expires,
    })
}

fn moment(text: &str) -> Result<u64, String> {
    let moment: jiff::Timestamp = text.parse().map_err(|_| {
        format!("`{text}` is not a moment: write one like `2030-12-31T23:59:59Z`, in quotes")
    })?;
    u64::try_from(moment.as_second()).map_err(|_| format!("`{text}` is before 1970"))
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(hash)
}
