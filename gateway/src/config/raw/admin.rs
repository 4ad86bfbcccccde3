//! `[admin]` as written. Must not: relate one key to another.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::secret::Password;
use super::scalar::Text;

/// The listener for operators.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Admin {
    /// Where operators and scrapers connect: IP address and port.
    pub(in super::super) listen: Option<Text<SocketAddr>>,
    /// What operators show to use the API, `Authorization: Bearer …`; absent: the API answers on a loopback address alone.
    pub(in super::super) token: Option<Text<Password>>,
    /// A file that holds the token, instead of `token`.
    pub(in super::super) token_file: Option<PathBuf>,
}
