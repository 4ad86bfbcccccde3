//! Routes and identity as configured. Must not: match anything.

mod answers;
mod cache;
mod auth;
mod counting;
mod compression;
mod cors;
mod matching;
mod mirror;
mod pattern;
mod retry;
mod route;
mod target;

use std::time::Duration;

use ipnet::IpNet;

pub use answers::{AnswerKind, AnswerSettings, AnswersSettings};
pub use auth::{
    AddressesSettings, ApiKeysSettings, AuthKind, AuthSettings, BasicSettings, EnrolledKey,
    ExternalSettings, JwtSettings, OnFailure,
};
pub use cache::CacheSettings;
pub use compression::{Coding, CompressionLevel, CompressionSettings};
pub use cors::{CorsHeaders, CorsOrigin, CorsOrigins, CorsSettings};
pub use counting::{CountingSettings, ExemptSettings};
pub use matching::{HeaderMatch, HostPattern, ValueMatch};
pub use mirror::MirrorSettings;
pub use pattern::{MAX_PARAMETERS, Pattern, PatternError, Segment};
pub use retry::{HedgeSettings, RetrySettings};
pub use route::RouteSettings;
pub use target::{
    EditsSettings, HealthSettings, RedirectSettings, SplitSettings, StickySettings, TargetSettings,
};

/// What the proxy needs to know beside its upstreams and limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The routes, in the order written.
    pub routes: Vec<RouteSettings>,
    /// Ways to find out who is asking, for routes to name.
    pub auth: Vec<AuthSettings>,
    /// Whom limits count otherwise, or not at all.
    pub counting: Vec<CountingSettings>,
    /// Answers where no route has its own.
    pub answers: AnswersSettings,
    /// The gateway's own answer about itself.
    pub health: HealthSettings,
    /// Who may say for whom a request is.
    pub identity: IdentitySettings,
    /// What is refused of what can be parsed.
    pub strictness: Strictness,
    /// How many requests may be on their way at once in this process; none: any number.
    pub max_requests: Option<u32>,
    /// How long a connection that was upgraded may be silent.
    pub tunnel_idle_timeout: Duration,
    /// The name this hop signs with in `Via` and `Proxy-Status`: the deployment, never the software.
    pub hop: String,
}

/// What is refused of what can be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strictness {
    /// What becomes of header fields whose name holds an underscore.
    pub underscores: Underscores,
    /// What becomes of a path with dot segments, plain or encoded.
    pub dot_segments: DotSegments,
    /// What becomes of slashes one after the other in a path.
    pub double_slashes: DoubleSlashes,
    /// Whether a path with an encoded slash is refused.
    pub refuse_encoded_slashes: bool,
    /// The largest request body, in bytes.
    pub max_body_bytes: u64,
    /// How long a client may leave its body waited for; what it sends pays some of it back.
    pub body_timeout: Duration,
}

/// What becomes of header fields whose name holds an underscore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Underscores {
    /// The request is refused.
    Reject,
    /// They are taken off.
    Drop,
    /// They pass.
    Allow,
}

/// What becomes of a path with dot segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotSegments {
    /// The request is refused.
    Reject,
    /// They are resolved before a route is looked for.
    Resolve,
    /// The upstream resolves them.
    Forward,
}

/// What becomes of slashes one after the other in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubleSlashes {
    /// The request is refused.
    Reject,
    /// They become one before a route is looked for.
    Merge,
    /// They pass, and are an empty segment to the routes.
    Forward,
}

/// Who may say for whom a request is.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many leading bits of an IPv6 address are one client.
    pub ipv6_prefix: u8,
}
