//! Floor 1b: the near side of the circuits.

use std::sync::Arc;
use std::time::Duration;

use crate::policy::ids::UpstreamName;
use crate::policy::units::Micros;
use crate::store::Store;

/// Provisional.
#[derive(Debug, Default)]
pub struct Breaker;
/// Provisional.
#[derive(Debug)]
pub struct Circuit;
/// Provisional.
#[derive(Debug)]
pub struct Permit;
/// Provisional.
#[derive(Debug)]
pub struct Rejected {
    /// When.
    pub retry_after: Micros,
}
/// Provisional.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Outcome {
    /// Provisional.
    Success,
    /// Provisional.
    Failure,
}
impl Breaker {
    /// Provisional.
    pub fn circuit(&self, _: &UpstreamName) -> Option<Arc<Circuit>> {
        Some(Arc::new(Circuit))
    }
}
impl Circuit {
    /// Provisional.
    pub async fn admit(&self, _: &Store, _: Duration) -> Result<Permit, Rejected> {
        Ok(Permit)
    }
    /// Provisional.
    pub async fn late_failure(&self, _: &Store, _: u64) {}
}
impl Permit {
    /// Provisional.
    pub fn epoch(&self) -> u64 {
        0
    }
    /// Provisional.
    pub async fn report(self, _: &Store, _: Outcome, _: Duration) {}
}
/// Provisional.
pub async fn sync(_: &Breaker, _: &Store) {
    std::future::pending().await
}
