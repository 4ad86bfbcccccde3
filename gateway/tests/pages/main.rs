//! The pages keep their word: what they link to and name exists, what they show as configuration loads, and what they
//! tell a reader to type is typed here.
//!
//! Guarantees: every tracked `*.md` is read; a kind of block or command that no check knows is a failure, not a gap.
//! Must not: reach beyond this machine, or leave a process behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod commands;
mod configurations;
mod keys;
mod links;
mod markdown;
mod names;
mod rules;
mod shell;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use markdown::Page;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file of the repository, relative to its root: tracked, or new and not ignored.
fn files() -> Vec<String> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git");
    let listing = String::from_utf8(listing.stdout).unwrap();
    let found: Vec<String> = listing.lines().map(str::to_owned).collect();
    assert!(!found.is_empty(), "this is not a working tree of git");
    found
}

/// Every page.
fn pages() -> Vec<Page> {
    files()
        .into_iter()
        .filter(|name| name.ends_with(".md"))
        .map(|name| Page::read(&root(), name))
        .collect()
}

fn none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}
