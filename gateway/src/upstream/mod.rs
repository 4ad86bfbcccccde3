//! Floor 1a: the far side of a request.

pub mod settings;
