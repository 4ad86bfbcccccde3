//! Configuration as users write it: what is refused and how it is said, what wins over what, and what is never printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod defaults;
mod environment;
mod example;
mod limits;
mod plain;
mod pages;
mod printed;
mod refused;
mod secrets;

use std::path::PathBuf;

use gateway::config::{Config, Problems, Source, load};

const UPSTREAM: (&str, &str) = ("UPSTREAM_URL", "http://127.0.0.1:5001");

/// Loads `text` as a file with this extension, beside `variables`.
fn load_text(extension: &str, text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let file = tempfile::Builder::new()
        .suffix(extension)
        .tempfile()
        .unwrap();
    std::fs::write(file.path(), text).unwrap();
    load(&source(Some(file.path().to_owned()), variables))
}

fn load_variables(variables: &[(&str, &str)]) -> Result<Config, Problems> {
    load(&source(None, variables))
}

fn source(file: Option<PathBuf>, variables: &[(&str, &str)]) -> Source {
    let owned = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Source::new(file, owned)
}

/// Everything of a configuration but its text.
fn settings(config: &Config) -> String {
    format!(
        "{:?}",
        (
            &config.server,
            &config.admin,
            &config.store,
            &config.log,
            &config.upstreams,
            &config.limits,
            &config.proxy
        )
    )
}

fn problems(result: Result<Config, Problems>) -> Vec<String> {
    let problems = result.expect_err("this should be refused");
    problems.all().iter().map(ToString::to_string).collect()
}
