//! The file of users: `NAME:HASH` lines, as `htpasswd -B` writes them.
//!
//! Guarantees: an error names the file and the line, and quotes no hash. Must not: check a password.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;

/// More rounds than this keep a core busy for seconds.
const MOST_ROUNDS: u32 = 14;

/// A name and a hash.
type User = (Arc<str>, Arc<str>);

/// The users in `path`.
pub(super) fn read(path: &Path) -> Result<Vec<User>, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let mut users: Vec<User> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |why: &str| format!("`{shown}`, line {}: {why}", index + 1);
        let (name, hash) = line
            .split_once(':')
            .ok_or_else(|| at("write `NAME:HASH`, as `htpasswd -B` does"))?;
        let parts = bcrypt::HashParts::from_str(hash);
        let parts =
            parts.map_err(|_| at("only bcrypt hashes are known: `htpasswd -B` makes one"))?;
        if parts.get_cost() > MOST_ROUNDS {
            return Err(at(&format!(
                "a cost above {MOST_ROUNDS} takes seconds a request"
            )));
        }
        if users.iter().any(|(other, _)| **other == *name) {
            return Err(at("this user is there twice"));
        }
        users.push((name.into(), hash.into()));
    }
    if users.is_empty() {
        return Err(format!("`{shown}` has no user"));
    }
    Ok(users)
}
