//! Retries as configured. Must not: decide one.

use std::time::Duration;

/// When and how often an attempt is repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// Attempts in all; 1 is no retry.
    pub attempts: u32,
    /// Wait before the first retry.
    pub initial_delay: Duration,
    /// What each further wait is multiplied by.
    pub multiplier: f64,
    /// The longest wait.
    pub max_delay: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 1,
            initial_delay: Duration::from_millis(100),
            multiplier: 2.0,
            max_delay: Duration::from_secs(30),
        }
    }
}
