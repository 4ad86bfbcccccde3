//! One route as configured. Must not: match anything.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::{
    AnswersSettings, CacheSettings, CompressionSettings, CorsSettings, EditsSettings, HeaderMatch,
    HedgeSettings, HostPattern, MirrorSettings, RetrySettings, TargetSettings,
};
use crate::policy::ids::{PolicyName, RouteName};

/// One route.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// Its name in metrics and logs.
    pub name: RouteName,
    /// Hosts it answers; empty means any.
    pub hosts: Vec<HostPattern>,
    /// The path pattern: `/proxy/{*path}`, `/users/{id}`.
    pub path: String,
    /// The path sent upstream, with the pattern's parameters; none keeps the path.
    pub rewrite: Option<String>,
    /// What is taken off the path's start on its way upstream.
    pub strip_prefix: Option<String>,
    /// Header fields a request must have.
    pub headers: Vec<HeaderMatch>,
    /// Methods it answers; empty means any.
    pub methods: Vec<Method>,
    /// Where it leads.
    pub target: TargetSettings,
    /// Where requests that came unencrypted are sent instead.
    pub https: Option<http::StatusCode>,
    /// Who is let in: names of ways to find out. Empty: everybody.
    pub auth: Vec<Arc<str>>,
    /// The limits a request must pass, all of them.
    pub limits: Vec<PolicyName>,
    /// Tokens one request costs.
    pub cost: u64,
    /// The longest from a request's head to the last byte of its answer, all attempts and waits included; none: no end.
    pub timeout: Option<Duration>,
    /// The largest request body, in bytes, where that is less than the listener's.
    pub max_body_bytes: Option<u64>,
    /// Retries.
    pub retry: RetrySettings,
    /// Attempts beside a slow one; none: one after another.
    pub hedge: Option<HedgeSettings>,
    /// Answers of its own.
    pub answers: AnswersSettings,
    /// What is kept of its answers; none: nothing.
    pub cache: Option<CacheSettings>,
    /// What a successful write through it purges: `tag:NAME`, `route:NAME`.
    pub purge: Vec<String>,
    /// Header fields changed on the way to the upstream.
    pub request_headers: EditsSettings,
    /// Header fields changed on the way to the client.
    pub response_headers: EditsSettings,
    /// Copies of its requests to a second upstream; none: none.
    pub mirror: Option<MirrorSettings>,
    /// What scripts of other origins may do; none: the upstream decides.
    pub cors: Option<CorsSettings>,
    /// Which answers are compressed; none: none.
    pub compression: Option<CompressionSettings>,
}

impl Default for RouteSettings {
    /// A route without a name, to fill in.
    fn default() -> Self {
        Self {
            name: "".into(),
            hosts: Vec::new(),
            path: String::new(),
            rewrite: None,
            strip_prefix: None,
            headers: Vec::new(),
            methods: Vec::new(),
            target: TargetSettings::Upstream("".into()),
            https: None,
            auth: Vec::new(),
            limits: Vec::new(),
            cost: 1,
            timeout: None,
            max_body_bytes: None,
            retry: RetrySettings::default(),
            hedge: None,
            answers: AnswersSettings::default(),
            cache: None,
            purge: Vec::new(),
            request_headers: EditsSettings::default(),
            response_headers: EditsSettings::default(),
            mirror: None,
            cors: None,
            compression: None,
        }
    }
}
