//! Floor 4: from what was written to validated settings.
//!
//! Built-in defaults, under one file, under `GATEWAY__…` variables, under the plain variables. All four become one tree in
//! which every value knows who wrote it; the tree becomes the raw configuration, and that the settings of each component.
//!
//! Guarantees: every error is found in one run and names its key and its line or variable; what [`load`] returns needs no
//! further check; no secret is ever printed. Must not: be used by what it configures.

mod path;
mod problem;
mod secret;
mod source;
mod tree;
mod file;
mod raw;
mod shape;
mod defaults;
mod environment;
mod plain;
mod read;
mod settings;
mod effective;
mod sample;
mod reference;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use path::{KeyPath, Step};
pub use problem::{Origin, Problem, Problems};
pub use source::Source;

use shape::Shape;

/// A configuration that needs no further check.
#[derive(Clone, Debug)]
pub struct Config {
    /// The proxy listener and the threads behind it.
    pub server: crate::server::settings::Settings,
    /// The listener for operators.
    pub admin: crate::admin::settings::Settings,
    /// Where replicas meet.
    pub store: crate::store::settings::Settings,
    /// What is kept of answers.
    pub cache: crate::cache::settings::Settings,
    /// What is logged and how.
    pub log: crate::telemetry::settings::Settings,
    /// Which traces are kept, and where they go.
    pub traces: crate::telemetry::traces::settings::Settings,
    /// Every upstream, by name; each name once.
    pub upstreams: Vec<crate::upstream::settings::Settings>,
    /// Every limit, by name; each name once.
    pub limits: Vec<crate::limiter::settings::PolicySettings>,
    /// Routes, which refer only to upstreams and limits that exist.
    pub proxy: crate::proxy::settings::Settings,
    /// What is allowed but probably not meant: to be logged at start.
    pub warnings: Vec<String>,
    effective: String,
}

impl Config {
    /// This configuration as a file: every key with its value, passwords masked, variables named where they had a part.
    #[must_use]
    pub fn effective(&self) -> &str {
        &self.effective
    }
}

/// Reads and validates a configuration.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load(source: &Source) -> Result<Config, Problems> {
    let file = source.file().map(file::read).transpose()?;
    assemble(file, source)
}

/// What a file that was read and the variables of `source` make together.
fn assemble(file: Option<tree::Tree>, source: &Source) -> Result<Config, Problems> {
    let defaults = defaults::Defaults::load()?;
    let shape = Shape::of_configuration();
    let mut report = problem::Report::default();
    let mut tree = defaults.under(file);
    environment::overlay(&mut tree, source, &shape, &mut report);
    plain::overlay(&mut tree, source, &mut report);
    shape.check(&mut tree, &mut report);
    defaults.fill(&mut tree, source.host());
    let Some(raw) = read::raw(&mut tree, source, &mut report) else {
        return Err(report.into_problems());
    };
    let effective = effective::text(&tree, &shape);
    settings::validate(raw, &tree, report, effective)
}

/// The JSON Schema of a configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = shape::schema();
    if let Ok(samples) = sample::Samples::load() {
        samples.put_into(&mut schema);
    }
    schema
}

/// Every key, in Markdown: a table for each section of a configuration file.
///
/// # Errors
/// Built-in defaults that cannot be read.
pub fn reference() -> Result<String, Problems> {
    Ok(reference::page()?)
}
