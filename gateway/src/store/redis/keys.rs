//! The names of everything kept in the shared store.
//!
//! Guarantees: every name starts with `PREFIX:v1:`; what belongs together carries one hash tag, so that a cluster keeps it on one
//! node. What a limit keeps depends on its algorithm, so each has a name of its own behind the tag. Changing a name or what is kept under it means a new version, because old and new replicas run side by side in a rollout.

use crate::policy::cacheability::Digest;
use crate::policy::ids::{BucketId, ReplicaId, UpstreamName};
use crate::store::api_key::{KeyHash, hexadecimal};

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

    pub(super) fn fixed_window(&self, bucket: &BucketId) -> String {
        format!("{}:fixed", self.limit(bucket))
    }

    pub(super) fn sliding_window(&self, bucket: &BucketId) -> String {
        format!("{}:sliding", self.limit(bucket))
    }

    pub(super) fn sliding_log(&self, bucket: &BucketId) -> String {
        format!("{}:log", self.limit(bucket))
    }

    pub(super) fn slots(&self, bucket: &BucketId) -> String {
        format!("{}:slots", self.limit(bucket))
    }

    /// Every name under which something may be kept of `bucket`.
    pub(super) fn all_of(&self, bucket: &BucketId) -> [String; 5] {
        [
            self.limit(bucket),
            self.fixed_window(bucket),
            self.sliding_window(bucket),
            self.sliding_log(bucket),
            self.slots(bucket),
        ]
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

    pub(super) fn api_key(&self, hash: &KeyHash) -> String {
        format!("{}apikey:{}", self.root, hexadecimal(hash))
    }

    pub(super) fn probe(&self) -> String {
        format!("{}probe", self.root)
    }

    pub(super) fn events(&self) -> String {
        format!("{}events", self.root)
    }
}
