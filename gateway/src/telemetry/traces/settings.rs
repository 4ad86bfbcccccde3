//! Traces as configured. Must not: read a variable.

use std::time::Duration;

/// Traces as configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which traces are kept.
    pub sampler: SamplerSettings,
    /// Where they go; none: nowhere.
    pub export: Option<ExportSettings>,
}

/// Which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerSettings {
    /// What becomes of a request that brings no decision.
    pub root: Root,
    /// Whether a decision that a request brings is followed.
    pub follows_parent: bool,
}

/// What becomes of a request that brings no decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Root {
    /// It is kept.
    Always,
    /// It is not.
    Never,
    /// This share of them is kept, from 0 to 1.
    Share(f64),
}

/// How spans travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportProtocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, in protobuf.
    Http,
}

/// Where spans go.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportSettings {
    /// The URL as it is: with `/v1/traces` for HTTP.
    pub endpoint: String,
    /// How they travel.
    pub protocol: ExportProtocol,
    /// Headers sent along; values may be secret.
    pub headers: Vec<(String, String)>,
    /// The longest one batch may take.
    pub timeout: Duration,
    /// The service's name.
    pub service: String,
    /// More of what the service is: `deployment.environment.name` and the like.
    pub attributes: Vec<(String, String)>,
    /// The most requests whose spans wait to be sent.
    pub queue: usize,
    /// How long spans wait for others to be sent with.
    pub delay: Duration,
}

impl std::fmt::Debug for ExportSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportSettings")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    /// Nothing is exported, and every trace that begins here is marked as kept.
    fn default() -> Self {
        Self {
            sampler: SamplerSettings {
                root: Root::Always,
                follows_parent: true,
            },
            export: None,
        }
    }
}
