//! Retries as configured. Must not: decide one.

use std::time::Duration;

use http::Method;

use crate::policy::grpc::GrpcStatus;
use crate::policy::retry::{Backoff, BudgetSpec, Jitter, Trouble};

/// When and how often an attempt is repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// Attempts in all; 1 is no retry.
    pub attempts: u32,
    /// The waits between them.
    pub backoff: Backoff,
    /// The longest one attempt may take to its response head, where that is less than the upstream's own timeout.
    pub attempt_timeout: Option<Duration>,
    /// Response statuses that are worth another attempt.
    pub statuses: Vec<u16>,
    /// Statuses of gRPC that are, in an answer without a message.
    pub grpc_statuses: Vec<GrpcStatus>,
    /// What else is worth one.
    pub on: Vec<Trouble>,
    /// Methods whose requests may be sent again though the upstream may have acted on them; none: those that RFC 9110, section
    /// 9.2.2, calls idempotent.
    pub methods: Option<Vec<Method>>,
    /// Bytes of a request body that are kept to be sent again.
    pub max_body: usize,
    /// Whether an upstream's `Retry-After` makes the wait longer, and one beyond the longest wait ends the retries.
    pub retry_after: bool,
    /// How many retries and hedges there may be for so many requests.
    pub budget: BudgetSpec,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 1,
            backoff: Backoff {
                initial: Duration::from_millis(100),
                multiplier: 2.0,
                longest: Duration::from_secs(30),
                jitter: Jitter::Full,
            },
            attempt_timeout: None,
            statuses: vec![502, 503, 504],
            grpc_statuses: Vec::new(),
            on: vec![Trouble::Connect, Trouble::Reset, Trouble::Timeout],
            methods: None,
            max_body: 64 * 1024,
            retry_after: true,
            budget: BudgetSpec::default(),
        }
    }
}

/// Attempts beside a slow one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgeSettings {
    /// How long an attempt may be without an answer before another is made beside it.
    pub after: Duration,
    /// The most of them for one attempt.
    pub most: u32,
}
