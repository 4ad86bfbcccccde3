//! The circuit breaker's state machine.

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
    Replicas(u32),
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
