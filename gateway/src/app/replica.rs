//! What this process is called among its like. Must not: be stable over restarts: a restarted replica is a new one.

use crate::policy::ids::ReplicaId;

/// The deployment's name and something random: readable in a log, unique in a fleet.
pub(super) fn new(name: &str) -> ReplicaId {
    let random = fastrand::u32(..);
    ReplicaId::from(format!("{name}-{random:08x}").as_str())
}
