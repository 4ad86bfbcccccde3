//! The circuit before each attempt, and what each attempt tells it. Here HTTP becomes success and failure.
//!
//! Guarantees: a refusal by an open circuit never touches the upstream; a failure is reported before its answer is sent. Must not:
//! keep state of its own.

use std::time::Duration;

use super::forward::UpstreamMetrics;
use super::refusal::Refusal;
use crate::policy::ids::UpstreamName;
use crate::upstream::{AttemptError, Received, Upstream};

/// Time a probe's holder gets beyond the attempt's own timeout before the fleet gives the probe to another.
const PROBE_MARGIN: Duration = Duration::from_secs(1);
