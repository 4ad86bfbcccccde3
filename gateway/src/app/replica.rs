//! What this process is called among its like. Must not: be stable over restarts: a restarted replica is a new one.

use crate::policy::ids::ReplicaId;

/// The host's name and something random: readable in a log, unique in a fleet.
pub(super) fn new() -> ReplicaId {
    let random = fastrand::u32(..);
    ReplicaId::from(format!("{}-{random:08x}", crate::config::hostname()).as_str())
}
