//! What a configuration is made from: a file's name and the environment, as values.
//!
//! Guarantees: [`Source::from_process`] is the only place that looks at the process. Must not: interpret what it finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where to read a configuration from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    file: Option<PathBuf>,
    variables: Variables,
    host: Option<String>,
}

/// The environment. Prints the names alone: values may be secrets.
#[derive(Clone, Default)]
struct Variables(BTreeMap<String, String>);

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source {
    /// The file at `file`, if any, and `variables`; `GATEWAY_CONFIG` among them names the file when `file` does not.
    pub fn new(
        file: Option<PathBuf>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        let named = || {
            variables
                .get("GATEWAY_CONFIG")
                .filter(|name| !name.is_empty())
        };
        Self {
            file: file.or_else(|| named().map(PathBuf::from)),
            variables: Variables(variables),
            host: None,
        }
    }

    /// This process's environment and host name.
    #[must_use]
    pub fn from_process(config_flag: Option<PathBuf>) -> Self {
        // Lossy, so that a variable that is not UTF-8 is reported as wrong rather than silently passed over.
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        let mut source = Self::new(config_flag, variables);
        source.host = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .map(|name| name.trim().to_owned());
        source
    }

    /// The file, if one was named.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.0.get(name).map(String::as_str)
    }

    /// All variables, by name.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The name of this host: the system's, or `HOSTNAME`.
    pub(super) fn host(&self) -> Option<&str> {
        self.host.as_deref().or_else(|| self.variable("HOSTNAME"))
    }
}
