//! The circuit protocol: one state machine per upstream in the store, moved by commands, and a view of it in each replica.
//!
//! Modelled after `gateway/src/policy/circuit` and `gateway/src/breaker`, with more freedom than these take: any failure may open a
//! closed circuit, a replica may ask for a probe at any time, events may be lost, and messages take any time. Only once the upstream
//! has recovered for good and nothing else breaks are there deadlines, for without them nothing would ever have to happen.
//!
//! Not modelled: who needs how many failures to open it, and a replica's own view of its own failures: the first is any rule here,
//! the second a circuit of one replica without messages.
//!
//! Guarantees: whatever holds here holds for every order of events, for runs of any length, within the bounds of [`Rules`]. Must
//! not: let a replica know more than its messages tell it.

mod model;
mod record;
mod state;
mod steps;

pub use model::{Action, Circuit};
pub use record::{Done, Phase, Probe, Record, Report, View};
pub use state::{Call, Command, Exchange, Replica, World};

/// As many probes as are allowed, counted while their lease runs.
pub const ONE_PROBE: &str = "at most one live probe";
/// What began in an epoch that is over moves nothing.
pub const NO_STALE_EPOCH: &str = "no transition by a stale epoch";
/// It closes, and every replica knows, soon after the upstream recovered.
pub const NEVER_STUCK: &str = "never stuck open";
/// Of the model itself: time can always go on.
const NEVER_STILL: &str = "never stands still";

/// What a broken circuit would do: each has to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Outcomes of any epoch count.
    NoEpochs,
    /// A new epoch is one above the last, and not taken from the clock.
    CountedEpochs,
    /// A probe's lease never ends.
    ProbesNeverExpire,
    /// One probe more than allowed is granted.
    OneProbeTooMany,
    /// A replica goes by the view of the highest epoch, and not by the latest.
    HighestEpochWins,
}

/// The protocol, and the bounds of the model. Times are in ticks.
#[derive(Clone, Debug)]
pub struct Rules {
    /// At most three.
    pub replicas: usize,
    /// Probes at a time, at most two; as many have to succeed.
    pub probes: u8,
    /// How long a circuit stays open before a probe.
    pub reset: u8,
    /// How long a probe may take.
    pub lease: u8,
    /// The longest call, once all is well.
    pub call: u8,
    /// The longest way to the store and back, once all is well.
    pub exchange: u8,
    /// How often each replica looks, once all is well.
    pub poll: u8,
    /// Times the store may lose the record.
    pub losses: u8,
    /// Whether an operator holds the circuit open and lets go, at any time before all is well.
    pub operator: bool,
    /// Whether transitions are pushed to the replicas, beside their asking.
    pub events: bool,
    /// Whether all is well some day; without, only what never happens is checked.
    pub recovers: bool,
    /// Ticks after the recovery within which the circuit is closed, and every replica knows.
    pub recovery: u8,
    /// Whether to insist on what the protocol does not promise: that a failure from before the circuit had ever moved does not count
    /// once the record was lost. Both are in epoch 0.
    pub even_unmoved: bool,
    /// What is broken.
    pub flaw: Option<Flaw>,
}
