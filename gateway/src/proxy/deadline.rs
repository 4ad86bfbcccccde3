//! When a request must be over, all attempts and waits included.
//!
//! Guarantees: a route without a total timeout never asks for the time. Must not: end anything itself.

use std::time::Duration;

use tokio::time::Instant;

/// The end of a request's time, if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// `total` after `started`; a span beyond what the clock can count is no end.
    pub(super) fn new(started: Instant, total: Option<Duration>) -> Self {
        Self(total.and_then(|total| started.checked_add(total)))
    }

    /// The moment.
    pub(super) const fn at(self) -> Option<Instant> {
        self.0
    }

    /// How much of `span` is left before the end.
    pub(super) fn within(self, span: Duration) -> Duration {
        match self.0 {
            None => span,
            Some(end) => span.min(end.saturating_duration_since(Instant::now())),
        }
    }

    /// Whether a wait of `span` would be over in time.
    pub(super) fn allows(self, span: Duration) -> bool {
        self.0.is_none_or(|end| Instant::now() + span < end)
    }
}
