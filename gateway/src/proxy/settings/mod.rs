//! Routes and identity as configured. Must not: match anything.

mod answers;
mod cache;
mod retry;
mod route;

use std::time::Duration;

use ipnet::IpNet;

pub use answers::{AnswerSettings, AnswersSettings};
pub use cache::CacheSettings;
pub use retry::RetrySettings;
pub use route::RouteSettings;

/// What the proxy needs to know beside its upstreams and limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The routes, in the order written.
    pub routes: Vec<RouteSettings>,
    /// Who may say for whom a request is.
    pub identity: IdentitySettings,
    /// What is refused of what can be parsed.
    pub strictness: Strictness,
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
    /// Whether a path with a dot segment, plain or encoded, is refused.
    pub refuse_dot_segments: bool,
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

/// Who may say for whom a request is.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many leading bits of an IPv6 address are one client.
    pub ipv6_prefix: u8,
}
