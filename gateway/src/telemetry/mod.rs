//! Floor 0: logs and metrics.

pub mod settings;
