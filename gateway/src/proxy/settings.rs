//! Routes and identity as configured. Must not: match anything.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use ipnet::IpNet;

use crate::policy::ids::{PolicyName, RouteName, UpstreamName};

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

/// One route.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// Its name in metrics and logs.
    pub name: RouteName,
    /// The path pattern: `/proxy/{*path}`, `/users/{id}`.
    pub path: String,
    /// The path sent upstream, with the pattern's parameters; none keeps the path.
    pub rewrite: Option<String>,
    /// Methods it answers; empty means any.
    pub methods: Vec<Method>,
    /// Where it goes.
    pub upstream: UpstreamName,
    /// The limits a request must pass, all of them.
    pub limits: Vec<PolicyName>,
    /// Tokens one request costs.
    pub cost: u64,
    /// Retries.
    pub retry: RetrySettings,
    /// Answers of its own.
    pub answers: AnswersSettings,
}

/// Answers of a route's own in place of the gateway's, by what happened.
#[derive(Clone, Debug, Default)]
pub struct AnswersSettings {
    /// A limit is spent.
    pub limited: Option<AnswerSettings>,
    /// The circuit is open, or no endpoint takes requests.
    pub circuit_open: Option<AnswerSettings>,
    /// The upstream did not answer in time.
    pub timeout: Option<AnswerSettings>,
    /// No connection, or a broken response.
    pub bad_gateway: Option<AnswerSettings>,
}

/// One answer of a route's own.
#[derive(Clone, Debug)]
pub struct AnswerSettings {
    /// The status; none keeps the gateway's.
    pub status: Option<StatusCode>,
    /// The media type of the body.
    pub content_type: HeaderValue,
    /// Headers to set.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, in which `{request_id}`, `{retry_after}` and `{route}` stand for what they say.
    pub body: String,
}

/// When and how often an attempt is repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// Attempts in all; 1 is no retry.
    pub attempts: u32,
    /// Wait before the first retry.
    pub initial_delay: Duration,
    /// What each further wait is multiplied by.
    pub multiplier: f64,
    /// The longest wait.
    pub max_delay: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 1,
            initial_delay: Duration::from_millis(100),
            multiplier: 2.0,
            max_delay: Duration::from_secs(30),
        }
    }
}
