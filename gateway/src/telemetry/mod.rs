//! Floor 0: what the process tells about itself. Metrics are declared once, in [`metrics`]; lines are written by [`logs`].
//!
//! Guarantees: recording never blocks, never fails and never waits for a reader. Must not: decide anything, know a route or
//! a policy beyond its name.

pub mod settings;
mod series;
mod family;
mod register;
pub mod metrics;
mod writer;
pub mod logs;
pub mod access;
pub mod traces;
mod clock;
mod json;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use family::Family;
pub use series::{BOUNDS, Counter, Distribution, Gauge, Histogram, Total, enter_shard};
