//! Floor 1b: the near side of the limits.

pub mod settings;
