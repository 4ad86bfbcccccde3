//! Finds out which revision is built, for `gateway_build_info`: `GATEWAY_REVISION` where it is set, as for images; else, for a release
//! build, the commit of the repository this package lies in; else `unknown`.
//!
//! A development build does not ask git: every commit would compile the whole package again. Must not: fail for want of git.

#![allow(
    clippy::print_stdout,
    reason = "standard output is how a build script speaks to cargo"
)]

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=GATEWAY_REVISION");
    let given = env::var("GATEWAY_REVISION")
        .ok()
        .filter(|text| !text.is_empty());
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let revision = given.or_else(|| is_release.then(commit).flatten());
    let revision = revision.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=GATEWAY_REVISION={revision}");
}

/// The commit that is checked out, if these are the sources of a repository and not a copy inside somebody else's.
fn commit() -> Option<String> {
    let workspace = Path::new("..").canonicalize().ok()?;
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?)
        .canonicalize()
        .ok()?
        != workspace
    {
        return None;
    }
    // What a commit or a checkout changes. A file that is not there would count as changed each time.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
