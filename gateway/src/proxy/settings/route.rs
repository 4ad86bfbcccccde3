//! One route as configured. Must not: match anything.

use http::Method;

use super::{AnswersSettings, CacheSettings, RetrySettings};
use crate::policy::ids::{PolicyName, RouteName, UpstreamName};

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
    /// What is kept of its answers; none: nothing.
    pub cache: Option<CacheSettings>,
    /// What a successful write through it purges: `tag:NAME`, `route:NAME`.
    pub purge: Vec<String>,
}

impl Default for RouteSettings {
    /// A route without a name, to fill in.
    fn default() -> Self {
        Self {
            name: "".into(),
            path: String::new(),
            rewrite: None,
            methods: Vec::new(),
            upstream: "".into(),
            limits: Vec::new(),
            cost: 1,
            retry: RetrySettings::default(),
            answers: AnswersSettings::default(),
            cache: None,
            purge: Vec::new(),
        }
    }
}
