//! What is asked of a store, as metrics name it. Must not: know which metrics those are.

use std::sync::Arc;
use std::time::Duration;

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Debit a bucket, count in a window, take a slot.
    Take,
    /// Return tokens to a bucket or window, let a slot go.
    GiveBack,
    /// Hold a slot for another lease.
    Renew,
    /// Forget a bucket.
    Forget,
    /// Look at a bucket.
    Inspect,
    /// Move or look at a circuit.
    Circuit,
    /// Say that this replica lives.
    Heartbeat,
    /// Say that this replica is gone.
    Leave,
    /// Find out whether the store decides.
    Ping,
    /// Tell every replica something.
    Publish,
    /// Say how this replica fares.
    Report,
    /// Read how the others do.
    Reports,
    /// Look for a kept answer, and for the turn to ask for it.
    Recall,
    /// Keep an answer.
    Keep,
    /// End a turn without one.
    EndTurn,
    /// Purge kept answers.
    Purge,
    /// Read what was purged.
    Tags,
    /// Find out whose an API key is.
    Recognise,
    /// Hand out an API key.
    Enroll,
    /// Withdraw an API key.
    Revoke,
}

impl Op {
    /// Every kind, for registering metrics before the first call.
    pub const ALL: [Self; 20] = [
        Self::Take,
        Self::GiveBack,
        Self::Renew,
        Self::Forget,
        Self::Inspect,
        Self::Circuit,
        Self::Heartbeat,
        Self::Leave,
        Self::Ping,
        Self::Publish,
        Self::Report,
        Self::Reports,
        Self::Recall,
        Self::Keep,
        Self::EndTurn,
        Self::Purge,
        Self::Tags,
        Self::Recognise,
        Self::Enroll,
        Self::Revoke,
    ];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::GiveBack => "give_back",
            Self::Renew => "renew",
            Self::Forget => "forget",
            Self::Inspect => "inspect",
            Self::Circuit => "circuit",
            Self::Heartbeat => "heartbeat",
            Self::Leave => "leave",
            Self::Ping => "ping",
            Self::Publish => "publish",
            Self::Report => "report",
            Self::Reports => "reports",
            Self::Recall => "recall",
            Self::Keep => "keep",
            Self::EndTurn => "end_turn",
            Self::Purge => "purge",
            Self::Tags => "tags",
            Self::Recognise => "recognise",
            Self::Enroll => "enroll",
            Self::Revoke => "revoke",
        }
    }
}

/// Hears of every call that was made, with `ok` or the error's label, and how long it took.
pub type Observer = Arc<dyn Fn(Op, &'static str, Duration) + Send + Sync>;

/// An observer that listens to nothing.
#[must_use]
pub fn unobserved() -> Observer {
    Arc::new(|_, _, _| {})
}
