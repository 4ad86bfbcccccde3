//! What was done, in the words of RFC 9211 and of the metrics.

use std::fmt::Write as _;

use crate::cache::Entry;
use crate::policy::cacheability::Reason;

/// What became of a request, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answered from what is kept.
    Hit,
    /// The same, after waiting for somebody else's fill.
    Collapsed,
    /// Answered with what is stale, as its terms or the client allow.
    Stale,
    /// Answered with what is stale, in place of an error.
    StaleError,
    /// What was kept still held.
    Revalidated,
    /// Forwarded, and the answer kept.
    Miss,
    /// Forwarded, and the answer not kept.
    Pass,
    /// Not a request that can be answered from what is kept.
    Bypass,
}

impl Outcome {
    pub(super) const ALL: [Self; 8] = [
        Self::Hit,
        Self::Collapsed,
        Self::Stale,
        Self::StaleError,
        Self::Revalidated,
        Self::Miss,
        Self::Pass,
        Self::Bypass,
    ];

    /// The metric's label.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Collapsed => "collapsed",
            Self::Stale => "stale",
            Self::StaleError => "stale_error",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Pass => "pass",
            Self::Bypass => "bypass",
        }
    }

    /// The access log's word, where it is not the upstream's answer.
    pub(super) const fn decision(self) -> &'static str {
        match self {
            Self::Hit | Self::Collapsed => "cache_hit",
            Self::Stale | Self::StaleError => "cache_stale",
            Self::Revalidated => "cache_revalidated",
            Self::Miss | Self::Pass | Self::Bypass => "forwarded",
        }
    }

    /// That of a plain hit.
    pub(super) fn of(entry: &Entry) -> Self {
        if entry.age() < entry.terms.fresh_for {
            Self::Hit
        } else {
            Self::Stale
        }
    }

    /// The members of `Cache-Status` for an answer from `entry`.
    pub(super) fn members(self, entry: &Entry) -> String {
        let ttl = entry.terms.ttl(entry.age());
        match self {
            Self::Revalidated => format!("fwd=stale; fwd-status=304; ttl={ttl}"),
            Self::Collapsed => format!("fwd=miss; collapsed; ttl={ttl}"),
            Self::StaleError => format!("hit; ttl={ttl}; detail=STALE_IF_ERROR"),
            _ => format!("hit; ttl={ttl}"),
        }
    }
}

/// Why a request was forwarded: `fwd` of RFC 9211, section 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarded {
    Bypass,
    Method,
    Miss,
    Stale,
    Partial,
}

impl Forwarded {
    pub(super) fn member(self) -> String {
        let word = match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Partial => "partial",
        };
        format!("fwd={word}")
    }

    /// With what came of it.
    pub(super) fn members(self, status: u16, kept: Result<(), Option<Reason>>) -> String {
        let mut text = self.member();
        // Only where something was known before does the status say more than the answer's own.
        if self == Self::Stale {
            let _ = write!(text, "; fwd-status={status}");
        }
        match kept {
            Ok(()) => text.push_str("; stored"),
            Err(Some(reason)) => {
                let _ = write!(text, "; detail={}", reason.word());
            }
            Err(None) => {}
        }
        text
    }
}

/// A name as an item of a structured field: a token where it is one, else a string (RFC 8941, section 3.3).
pub(super) fn name(hop: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
    let starts = hop.starts_with(|first: char| first.is_ascii_alphabetic() || first == '*');
    if starts && hop.bytes().all(is_token) {
        return hop.to_owned();
    }
    let escaped = hop.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
