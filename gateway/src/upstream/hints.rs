//! Interim answers (RFC 9110, section 15.2), as far as this floor knows them: they are told to whoever asked for them. Must not: keep
//! any, or know how they go on.

use std::fmt::Debug;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

/// Where interim answers are told.
pub trait Hints: Debug + Send + Sync {
    /// One came for `request`.
    fn hear(&self, request: u64, status: StatusCode, headers: HeaderMap);
}

/// Who wants those of one request.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where they are told.
    pub hints: Arc<dyn Hints>,
    /// The number of the request.
    pub request: u64,
}
