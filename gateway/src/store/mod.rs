//! Floor 1a: the far side of shared state.

pub mod settings;
