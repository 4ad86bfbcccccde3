//! Configuration files under fuzzing. Must not: read a file.

use std::path::Path;

use super::secret::MASK;
use super::{Source, assemble, file};

/// More problems are never listed, and none is longer than what it quotes.
const MOST_PROBLEMS: usize = 1_000;

/// A file: YAML when its first byte is a `#`, else TOML. What it says is refused in words, or is what its own print-out says again.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let name = if text.starts_with('#') {
        "a.yaml"
    } else {
        "a.toml"
    };
    let source = Source::new(None, []);
    let read = file::parse(text, Path::new(name));
    let config = read
        .map_err(Into::into)
        .and_then(|tree| assemble(Some(tree), &source));
    match config {
        Err(problems) => {
            assert!((1..=MOST_PROBLEMS).contains(&problems.all().len()));
            assert!(problems.all().iter().all(|one| !one.message.is_empty()));
        }
        Ok(config) if config.effective().contains(MASK) => {}
        Ok(config) => {
            let tree = file::parse(config.effective(), Path::new("b.toml"));
            let again = tree
                .map_err(Into::into)
                .and_then(|tree| assemble(Some(tree), &source));
            match again {
                Ok(again) => assert_eq!(again.effective(), config.effective()),
                Err(problems) => {
                    assert!(
                        problems.all().is_empty(),
                        "{problems}\n{}",
                        config.effective()
                    );
                }
            }
        }
    }
}
