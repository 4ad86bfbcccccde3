//! Floor 3: what operators see.

pub mod settings;
