//! Floor 3: listeners and workers.

pub mod settings;
