//! Where a route leads, as configured. Must not: choose.

use std::fmt;

use http::{HeaderName, HeaderValue, StatusCode};

use super::AnswerSettings;
use crate::policy::ids::{PolicyName, UpstreamName};

/// Where a route leads.
#[derive(Clone, Debug)]
pub enum TargetSettings {
    /// To one upstream.
    Upstream(UpstreamName),
    /// To one of several upstreams, by weight.
    Split(SplitSettings),
    /// Elsewhere: the client is told where.
    Redirect(RedirectSettings),
    /// To an answer that is always the same.
    Respond(Box<AnswerSettings>),
}

/// What is shown of it: the names of the upstreams, or what happens instead.
impl fmt::Display for TargetSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(name) => f.write_str(name.as_str()),
            Self::Split(split) => {
                for (place, (name, _)) in split.shares.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", name.as_str())?;
                }
                Ok(())
            }
            Self::Redirect(_) => f.write_str("(redirect)"),
            Self::Respond(_) => f.write_str("(respond)"),
        }
    }
}

/// Several upstreams, by weight.
#[derive(Clone, Debug)]
pub struct SplitSettings {
    /// Each with its weight, which is more than 0 for at least one.
    pub shares: Vec<(UpstreamName, u32)>,
    /// By what a client stays with its upstream; none: each request is a new choice.
    pub sticky: Option<StickySettings>,
}

/// By what a client is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StickySettings {
    /// Its address.
    Client,
    /// A cookie, which is set where there is none.
    Cookie(Box<str>),
    /// A header field; its address where there is none.
    Header(HeaderName),
}

/// A redirect.
#[derive(Clone, Debug)]
pub struct RedirectSettings {
    /// The template of `Location`.
    pub to: String,
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}

/// Header fields to change: first removed, then set, then added.
#[derive(Clone, Debug, Default)]
pub struct EditsSettings {
    /// Fields to remove.
    pub remove: Vec<HeaderName>,
    /// Fields to put in place of what is there, with the templates of their values.
    pub set: Vec<(HeaderName, String)>,
    /// Fields to put beside what is there, with the templates of their values.
    pub add: Vec<(HeaderName, String)>,
}

impl EditsSettings {
    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }
}

/// The gateway's own answer to whoever asks whether it is there.
#[derive(Clone, Debug)]
pub struct HealthSettings {
    /// Its path.
    pub path: String,
    /// The media type of the body.
    pub content_type: HeaderValue,
    /// The body of the 200.
    pub body: String,
    /// Whether an open circuit makes it a 503.
    pub fail_when_open: bool,
    /// The limits it is counted under.
    pub limits: Vec<PolicyName>,
}
