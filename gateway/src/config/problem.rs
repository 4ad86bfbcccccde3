//! What is wrong with a configuration, and who said it: the line of a file or the name of a variable.
//!
//! Guarantees: no message contains a password that stood in a URL. Must not: decide what is wrong.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::path::KeyPath;
use super::secret;
use super::tree::Tree;

/// Where a value comes from. In the order in which problems are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the configuration file.
    File {
        /// The file as it was named.
        path: Arc<Path>,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(Arc<str>),
    /// Nobody wrote it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("built-in"),
        }
    }
}

/// One thing to put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Who said it.
    pub origin: Origin,
    /// The key it is about; the top when it is about a whole file.
    pub key: KeyPath,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem with the value at `key`.
    #[must_use]
    pub fn new(origin: Origin, key: KeyPath, message: &str) -> Self {
        Self {
            origin,
            key,
            message: secret::mask(message),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if self.key != KeyPath::default() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a configuration, one problem a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems, those of the file first and by line.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Report {
    /// Notes a problem with the value at `key`, and who wrote it.
    pub(super) fn problem(&mut self, tree: &Tree, key: &KeyPath, message: &str) {
        self.problem_from(tree.origin(key), key, message);
    }

    /// Notes a problem that `origin` is to blame for.
    pub(super) fn problem_from(&mut self, origin: Origin, key: &KeyPath, message: &str) {
        self.problems
            .push(Problem::new(origin, key.clone(), message));
    }

    /// Notes what is allowed but probably not meant.
    pub(super) fn warning(&mut self, message: &str) {
        self.warnings.push(secret::mask(message));
    }

    /// How many problems there are.
    pub(super) fn len(&self) -> usize {
        self.problems.len()
    }

    /// The warnings, if there was no problem.
    pub(super) fn finish(self) -> Result<Vec<String>, Problems> {
        if self.problems.is_empty() {
            return Ok(self.warnings);
        }
        Err(self.into_problems())
    }

    /// The problems, sorted.
    pub(super) fn into_problems(mut self) -> Problems {
        self.problems.sort();
        self.problems.dedup();
        Problems(self.problems)
    }
}
