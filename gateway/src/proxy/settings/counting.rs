//! Whom a limit counts otherwise, or not at all, as configured. Must not: count.

use std::sync::Arc;

use ipnet::IpNet;

use crate::policy::ids::PolicyName;

/// The exceptions of one limit.
#[derive(Clone, Debug)]
pub struct CountingSettings {
    /// The limit.
    pub limit: PolicyName,
    /// Who is not counted.
    pub exempt: Option<ExemptSettings>,
    /// The limit that those of a plan have in its place.
    pub plans: Vec<(Arc<str>, PolicyName)>,
}

/// Who is not counted.
#[derive(Clone, Debug)]
pub struct ExemptSettings {
    /// Requests from these networks.
    pub addresses: Vec<IpNet>,
    /// Requests whose key is one of these.
    pub keys: Vec<String>,
    /// Requests that turned out to be from one of these.
    pub subjects: Vec<String>,
}
