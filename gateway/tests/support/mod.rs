//! What the tests of the whole gateway share: a client, gateways in this process or as processes, and waiting for a condition.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test binary uses a part"
)]

pub mod client;
pub mod gateway;
pub mod process;
pub(crate) mod redis;
pub mod wire;

use std::time::Duration;

/// How long a condition may take before the test gives up on it: far beyond what it should, for machines that are busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
