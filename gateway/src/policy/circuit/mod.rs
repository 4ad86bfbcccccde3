//! The circuit breaker's state machine.
//!
//! ```text
//!            quorum of failures                reset elapsed: Admit
//!   Closed ───────────────────────▶ Open ─────────────────────────▶ HalfOpen
//!     ▲                              ▲        one probe failed         │
//!     │                              └─────────────────────────────────┤
//!     └────────────────────────────────────────────────────────────────┘
//!                              enough probes succeeded
//! ```
//!
//! [`Record`] is all that is kept of one upstream; [`Record::apply`] is the only way to change it. `store/redis/circuit.lua` is the
//! same machine, and `tests/circuit_property.rs` holds them equal.
//!
//! Guarantees: every transition has an epoch of its own, higher than any before; what was begun in another epoch changes nothing;
//! no more than `probes` probes are out at a time; a clock that steps back delays a probe by at most `reset`. Must not: read a
//! clock, or know whether it decides for one replica or for a fleet.
//!
//! # Who may open a fleet's circuit
//!
//! A replica with a broken network sees every upstream fail, and must not cut off its healthy peers. Still, when it is the only one
//! that gets any traffic, there is nobody to ask. [`Quorum::Auto`] tells these apart without anybody counting traffic: as soon as a
//! failure is counted, every replica is told, and from then on reports its next success. So a replica that fails alone among busy
//! ones is contradicted within one request of theirs, and the contradiction stands for `window`: until then it takes a second
//! failing replica to open. A replica that nobody contradicts opens the circuit by itself. One whose failures do not reach the
//! quorum still stops calling the upstream: it keeps a machine of this kind for its own view alone.
//!
//! # When a record is lost
//!
//! A record that nobody has read for long expires, and a store may lose its data. No record reads as closed, with no failures, at
//! epoch 0. A new epoch is the present microsecond, or one above the last where that is later: so an epoch, once used, does not come
//! back, and an outcome of before the loss is not mistaken for one of after it.

mod command;
mod view;
mod tally;
mod record;
mod outcomes;
mod admission;

pub use self::command::{Command, Hold, Outcomes, ProbeId};
pub use self::record::Record;
pub use self::view::{Cause, Change, Forced, State, View};
use std::num::NonZeroU32;

use super::units::Micros;

/// When a circuit opens and closes.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitSpec {
    /// Consecutive failures that open it.
    pub failures: u32,
    /// How far back a failure counts.
    pub window: Micros,
    /// How long it stays open before a probe.
    pub reset: Micros,
    /// Probes granted at a time, in the whole fleet.
    pub probes: u32,
    /// How many distinct replicas must have failed.
    pub quorum: Quorum,
    /// Opens on a share of failures as well.
    pub ratio: Option<RatioSpec>,
    /// Opens on a share of slow calls as well.
    pub slow: Option<SlowSpec>,
}

/// How many distinct replicas must have failed before the whole fleet's circuit opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// Two when another replica has lately had an answer from that upstream, else one.
    Auto,
    /// Exactly so many.
    Replicas(NonZeroU32),
}

/// A share of failures within the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioSpec {
    /// Failures ÷ calls that open the circuit, above 0 and at most 1.
    pub threshold: f64,
    /// Calls within the window below which the share says nothing.
    pub minimum: u32,
}

/// A share of slow calls within the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowSpec {
    /// From how long on a call is slow.
    pub duration: Micros,
    /// Slow calls ÷ calls that open the circuit, above 0 and at most 1.
    pub threshold: f64,
    /// Calls within the window below which the share says nothing.
    pub minimum: u32,
}

#[cfg(test)]
mod tests;
