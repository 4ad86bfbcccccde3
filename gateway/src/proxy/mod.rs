//! Floor 2: the request's way.

pub mod settings;
