//! Who gets in when there is more to do than can be done: a place in the process for each request, and one at its upstream.
//!
//! Guarantees: a refusal comes before anything is spent on the request, or after a wait that has an end; a route without these limits
//! pays one branch for each. Must not: hold a place; the request's record does.

use std::sync::Arc;
use std::time::Duration;

use super::deadline::Deadline;
use super::refusal::Refusal;
use super::shared::Shared;
use crate::policy::ids::UpstreamName;
use crate::telemetry::Counter;
use crate::telemetry::metrics::Metrics;
use crate::upstream::{Concurrency, NoPlace, Place};

/// The two limits on the way to one upstream.
#[derive(Debug)]
pub(super) struct Admission {
    whole: Option<Whole>,
    own: Option<Own>,
}

/// The whole process's limit.
#[derive(Debug)]
struct Whole {
    concurrency: Arc<Concurrency>,
    refused: Arc<Counter>,
}

/// The upstream's own.
#[derive(Debug)]
struct Own {
    concurrency: Arc<Concurrency>,
    full: Arc<Counter>,
    late: Arc<Counter>,
}

/// What an attempt beside another finds.
pub(super) enum Beside {
    /// A place, or that none is needed.
    Room(Option<Place>),
    /// All are taken.
    Taken,
}

impl Admission {
    pub(super) fn new(shared: &Shared, metrics: &Metrics, upstream: &UpstreamName) -> Self {
        let counter = |reason| {
            metrics
                .upstreams
                .overload_refusals
                .with(&[upstream.as_str(), reason])
        };
        Self {
            whole: shared.whole().map(|concurrency| Whole {
                concurrency: Arc::clone(concurrency),
                refused: counter("max_requests"),
            }),
            own: shared.upstream(upstream).map(|concurrency| Own {
                concurrency: Arc::clone(concurrency),
                full: counter("queue_full"),
                late: counter("queue_timeout"),
            }),
        }
    }

    /// A place in the process, at once or not at all.
    pub(super) fn arrive(&self) -> Result<Option<Place>, Refusal> {
        let Some(whole) = &self.whole else {
            return Ok(None);
        };
        let place = whole.concurrency.try_enter();
        if place.is_none() {
            whole.refused.inc();
            return Err(Refusal::Overloaded);
        }
        Ok(place)
    }

    /// A place at the upstream, which may be waited for.
    pub(super) async fn enter(&self, deadline: Deadline) -> Result<Option<Place>, Refusal> {
        let Some(own) = &self.own else {
            return Ok(None);
        };
        let patience = deadline.within(Duration::MAX);
        own.concurrency
            .enter(patience)
            .await
            .map(Some)
            .map_err(|no| {
                match no {
                    NoPlace::QueueFull => own.full.inc(),
                    NoPlace::QueueTimeout => own.late.inc(),
                }
                Refusal::UpstreamBusy
            })
    }

    /// A place for one more attempt of a request that has one; it is never waited for.
    pub(super) fn beside(&self) -> Beside {
        match &self.own {
            None => Beside::Room(None),
            Some(own) => match own.concurrency.try_enter() {
                Some(place) => Beside::Room(Some(place)),
                None => Beside::Taken,
            },
        }
    }

    /// Takes note of how long the upstream took.
    pub(super) fn answered(&self, took: Duration) {
        if let Some(own) = &self.own {
            own.concurrency.answered(took);
        }
    }
}
