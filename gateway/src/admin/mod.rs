//! Floor 3: what operators and scrapers see and steer, on a listener, a thread and a runtime of its own.
//!
//! [`listener`] takes connections. [`health`] and the metrics answer anybody; [`api`] only whom [`access`] lets in; [`console`] is a
//! page that asks the API. What they show is on the [`board`]: each replica's [`report`], measured by [`meter`], put together as the
//! [`fleet`]. What operators want goes out as [`orders`] and is written down in the [`audit`].
//!
//! Guarantees: never runs on a data-plane thread; `/livez` depends on nothing, `/readyz` fails first when the process is about to
//! leave, and the loss of the store alone fails neither. Must not: carry out an order itself; know policies or Redis.

pub mod settings;
mod listener;
mod health;
pub mod in_force;
mod answer;
mod access;
mod api;
mod stream;
mod console;
mod board;
pub mod report;
pub mod latency;
pub mod meter;
pub mod fleet;
pub mod audit;
pub mod orders;

pub use api::Api;
pub use board::Board;
pub use health::{Check, Checks};
pub use listener::{Rooms, serve};
