//! The names of everything kept in the shared store.
//!
//! Guarantees: every name starts with `PREFIX:v1:`; what belongs together carries one hash tag, so that a cluster keeps it on one
//! node. Changing a name or what is kept under it means a new version, because old and new replicas run side by side in a rollout.

use crate::policy::cacheability::Digest;
use crate::policy::ids::{BucketId, ReplicaId, UpstreamName};

/// Makes names under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    root: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            root: format!("{prefix}:v1:"),
        }
    }

    pub(super) fn limit(&self, bucket: &BucketId) -> String {
        format!("{}limit:{{{bucket}}}", self.root)
    }

    pub(super) fn circuit(&self, upstream: &UpstreamName) -> String {
        format!("{}circuit:{{{upstream}}}", self.root)
    }

    pub(super) fn replicas(&self) -> String {
        format!("{}replicas", self.root)
    }

    pub(super) fn report(&self, replica: &ReplicaId) -> String {
        format!("{}report:{{{replica}}}", self.root)
    }

    pub(super) fn cached(&self, target: &Digest) -> String {
        format!("{}cache:{{{target}}}", self.root)
    }

    pub(super) fn tags(&self) -> String {
        format!("{}cache-tags", self.root)
    }

    pub(super) fn probe(&self) -> String {
        format!("{}probe", self.root)
    }

    pub(super) fn events(&self) -> String {
        format!("{}events", self.root)
    }
}
