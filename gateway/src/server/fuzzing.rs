//! The server's fuzz targets. Must not: do anything but lead to them.

pub use super::guard::fuzzing::guard;
