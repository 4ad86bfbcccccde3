//! What the limiter says of a request.
//!
//! Guarantees: a verdict is a value, complete in itself: headers, metrics and logs need nothing else. Its times are spans from
//! the moment it was made, and `retry_after` is never too early. Must not: say how a verdict looks on the wire.

use crate::policy::units::Micros;

/// What was decided. The variants are the labels of `rate_limit_decisions_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Within the limit.
    Granted,
    /// Beyond the limit.
    Denied,
    /// Granted without the shared store.
    DegradedGranted,
    /// Denied without the shared store.
    DegradedDenied,
    /// Beyond a limit that is only watched: the request passes.
    ShadowDenied,
}

impl Decision {
    /// Every decision, in the order in which they are counted.
    pub const ALL: [Self; 5] = [
        Self::Granted,
        Self::Denied,
        Self::DegradedGranted,
        Self::DegradedDenied,
        Self::ShadowDenied,
    ];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::DegradedGranted => "degraded_granted",
            Self::DegradedDenied => "degraded_denied",
            Self::ShadowDenied => "shadow_denied",
        }
    }

    /// Whether the request goes on.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::Granted | Self::DegradedGranted | Self::ShadowDenied
        )
    }
}

/// What the decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The shared store was asked.
    Store,
    /// A token debited ahead.
    Lease,
    /// An earlier denial that still holds.
    DenialMemory,
    /// The store did not answer: the policy's `on_store_failure` decided.
    Degraded,
    /// The request costs more than the bucket can ever hold.
    Cost,
    /// More requests wait for the store than may.
    Overload,
}

impl By {
    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Lease => "lease",
            Self::DenialMemory => "denial_memory",
            Self::Degraded => "degraded",
            Self::Cost => "cost",
            Self::Overload => "overload",
        }
    }
}

/// The limiter's answer to one request under one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// What it rests on.
    pub by: By,
    /// The most that is granted: a bucket's capacity, a window's limit, slots.
    pub limit: u64,
    /// Tokens that are left as far as this replica knows: in the bucket and held ahead.
    pub remaining: u64,
    /// When denied: after how long the same request can be granted. Else zero. Of slots, which come free whenever a request ends, it
    /// is no promise: a second.
    pub retry_after: Micros,
    /// How long until the bucket is full again or nothing counts any more, as far as this replica knows; of slots: unless they are
    /// renewed.
    pub full_after: Micros,
}
