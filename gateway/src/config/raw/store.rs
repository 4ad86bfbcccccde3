//! `[store]` as written. Must not: relate one key to another.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::secret::Secret;
use super::scalar::Text;
use crate::policy::units::Micros;

/// The shared store.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Store {
    /// `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`; absent: the embedded store, shared by nobody.
    pub(in super::super) url: Option<Text<Secret>>,
    /// A file that holds the URL, instead of `url`.
    pub(in super::super) url_file: Option<PathBuf>,
    /// The authorities whose certificates `rediss://` believes, in PEM; absent: the system's.
    pub(in super::super) ca_file: Option<PathBuf>,
    /// The first part of every key.
    pub(in super::super) prefix: Option<String>,
    /// The longest a request waits for one decision of the store.
    pub(in super::super) timeout: Option<Text<Micros>>,
    /// How often this replica says that it lives and asks for what it may have missed.
    pub(in super::super) heartbeat: Option<Text<Micros>>,
    /// Consecutive failed calls after which the store counts as lost and requests stop waiting for it.
    #[schemars(extend("x-unit" = "calls"))]
    pub(in super::super) failures: Option<u32>,
}
