//! The configuration file: TOML, or YAML by its extension.
//!
//! Guarantees: every value knows its line, and a key written twice is an error. Must not: know which keys exist.

mod toml;
mod yaml;

use std::path::Path;
use std::sync::Arc;

use super::path::KeyPath;
use super::problem::{Origin, Problem};
use super::tree::Tree;

/// The largest file read: a mistaken path to something huge must not fill the memory.
const MAX_BYTES: u64 = 16 << 20;

/// Reads the file at `path`.
pub(super) fn read(path: &Path) -> Result<Tree, Problem> {
    let text = contents(path).map_err(|why| {
        let message = format!("`{}` cannot be read: {why}", path.display());
        Problem::new(Origin::Default, KeyPath::default(), &message)
    })?;
    parse(&text, path)
}

/// Reads `text`, which stands in the file at `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<Tree, Problem> {
    let file = File(path.into());
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("yaml" | "yml") => yaml::parse(text, &file),
        _ => toml::parse(text, &file),
    }
}

fn contents(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if size > MAX_BYTES {
        return Err(format!(
            "{size} bytes are more than the {MAX_BYTES} allowed"
        ));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// Reads the built-in defaults, which are in the file's own form.
pub(super) fn built_in(text: &str) -> Result<Tree, Problem> {
    toml::parse(text, &File(Path::new("built-in defaults").into()))
}

pub(super) use toml::value as toml_value;

/// The file being read, for origins.
struct File(Arc<Path>);

impl File {
    fn line(&self, line: usize) -> Origin {
        Origin::File {
            path: Arc::clone(&self.0),
            line,
        }
    }

    /// The problem of a file that is not even well formed.
    fn malformed(&self, line: usize, key: KeyPath, message: &str) -> Problem {
        Problem::new(self.line(line), key, message)
    }
}
