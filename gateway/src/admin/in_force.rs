//! The configuration in force and what became of the last attempt to change it, as the API shows them.
//!
//! Guarantees: secrets come masked and stay so; the last failure is shown until a reload works. Must not: read a configuration.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What is shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConfigView {
    /// The configuration as a file, secrets masked.
    pub toml: String,
    /// When it was read, in Unix milliseconds.
    pub loaded_at: u64,
    /// Keys whose new value waits for a restart.
    pub needs_restart: Vec<String>,
    /// The last attempt to read it again; none if there was none.
    pub last_reload: Option<ReloadView>,
}

/// One attempt.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReloadView {
    /// When, in Unix milliseconds.
    pub at: u64,
    /// What asked for it: `signal`, `file` or `api`.
    pub cause: String,
    /// `success` or `failure`.
    pub result: String,
    /// What was wrong; everything is as it was before.
    pub error: Option<String>,
}

/// Shared by the API and whoever reloads.
#[derive(Debug, Default)]
pub struct InForce(Mutex<ConfigView>);

impl InForce {
    /// What is shown now.
    #[must_use]
    pub fn get(&self) -> ConfigView {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes what is shown.
    pub fn set(&self, change: impl FnOnce(&mut ConfigView)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
