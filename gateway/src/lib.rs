//! A reverse-proxy API gateway whose replicas share limits and circuit breakers.

// Floor 0
pub mod policy;
pub mod telemetry;
// Floor 1a
pub mod store;
pub mod upstream;
// Floor 1b
pub mod limiter;
pub mod breaker;
pub mod cache;
// Floor 2
pub mod proxy;
// Floor 3
pub mod server;
pub mod admin;
// Floor 4
pub mod config;
// Floor 5
pub mod app;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
