//! One route as configured. Must not: match anything.

use std::time::Duration;

use http::Method;

use super::{AnswersSettings, HedgeSettings, RetrySettings};
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
            timeout: None,
            max_body_bytes: None,
            retry: RetrySettings::default(),
            hedge: None,
            answers: AnswersSettings::default(),
        }
    }
}
