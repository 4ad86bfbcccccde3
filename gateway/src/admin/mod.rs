//! Floor 3: what operators and scrapers see, on a listener, a thread and a runtime of its own.
//!
//! Guarantees: never runs on a data-plane thread; `/livez` depends on nothing, `/readyz` fails first when the process is about to
//! leave, and the loss of the store alone fails neither. Must not: change anything; know policies or Redis.

pub mod settings;
mod http_api;

pub use http_api::{Check, Checks, serve};
