//! Where a route leads: to an upstream, to one of several, elsewhere, or to an answer of its own.

use http::StatusCode;

use super::super::super::path::KeyPath;
use super::super::super::raw::{Answer, List, Redirect, Route, Share};
use super::super::super::shape::nearest;
use super::super::{Check, answer, pattern};
use super::Known;
use crate::policy::ids::UpstreamName;
use crate::proxy::settings::{RedirectSettings, SplitSettings, StickySettings, TargetSettings};

/// What a template of a redirect may speak of beside the path's parameters.
const ASKED: [&str; 7] = [
    "host",
    "uri",
    "scheme",
    "request_id",
    "retry_after",
    "route",
    "client_ip",
];
/// More upstreams than anyone compares.
const MAX_SHARES: usize = 64;

/// What was written of it.
pub(super) struct Written {
    upstream: Option<String>,
    split: Option<List<Share>>,
    sticky: Option<String>,
    redirect: Option<Redirect>,
    respond: Option<Answer>,
}

/// Where a route leads, and with which status what came unencrypted is sent to https instead.
pub(super) struct Led {
    pub(super) target: TargetSettings,
    pub(super) https: Option<StatusCode>,
}

impl Written {
    /// Takes it out of a route.
    pub(super) fn of(raw: &mut Route) -> Self {
        Self {
            upstream: raw.upstream.take(),
            split: raw.split.take(),
            sticky: raw.sticky.take(),
            redirect: raw.redirect.take(),
            respond: raw.respond.take(),
        }
    }

    /// Checks it.
    pub(super) fn checked(
        self,
        check: &mut Check<'_>,
        at: &KeyPath,
        path: Option<&str>,
        known: &Known,
    ) -> Option<Led> {
        let status = self.redirect.as_ref().map(|raw| status(check, at, raw));
        let to_https = self
            .redirect
            .as_ref()
            .is_some_and(|raw| raw.https == Some(true));
        let guarded =
            to_https && (self.upstream.is_some() || self.split.is_some() || self.respond.is_some());
        let mut redirect = self.redirect;
        let guard = if guarded { redirect.take() } else { None };
        if guard.is_some_and(|guard| guard.to.is_some()) {
            let place = at.key("redirect").key("to");
            return check.problem(
                &place,
                "`https = true` says where to: leave out one of the two",
            );
        }
        let written = [
            ("upstream", self.upstream.is_some()),
            ("split", self.split.is_some()),
            ("redirect", redirect.is_some()),
            ("respond", self.respond.is_some()),
        ];
        let mut several = written.iter().filter(|(_, is_there)| *is_there);
        if let (Some((one, _)), Some((other, _))) = (several.next(), several.next()) {
            let message = format!("the route leads to `{one}` already: leave out one of the two");
            return check.problem(&at.key(other), &message);
        }
        if self.split.is_none() && self.sticky.is_some() {
            let message = "only a `split` has a choice to stick to";
            return check.problem(&at.key("sticky"), message);
        }
        let status = match status {
            Some(status) => Some(status?),
            None => None,
        };
        let target = if let Some(raw) = self.split {
            TargetSettings::Split(split(check, at, raw, self.sticky, known)?)
        } else if let Some(raw) = redirect {
            TargetSettings::Redirect(self::redirect(check, at, raw, status?, path)?)
        } else if let Some(raw) = self.respond {
            let answer = answer::answer(check, &at.key("respond"), raw)?;
            TargetSettings::Respond(Box::new(answer))
        } else {
            let hint = "write the name of the upstream it goes to";
            let name = check.required(at, "upstream", self.upstream, hint)?;
            TargetSettings::Upstream(upstream(check, &at.key("upstream"), &name, known)?)
        };
        Some(Led {
            target,
            https: status.filter(|_| guarded),
        })
    }
}

/// The name of an upstream that exists.
pub(in super::super) fn upstream(
    check: &mut Check<'_>,
    place: &KeyPath,
    name: &str,
    known: &Known,
) -> Option<UpstreamName> {
    let defined = KeyPath::default().key("upstreams").key(name);
    if known.upstreams.contains(name) || check.tree.is_faulty(&defined) {
        return Some(name.into());
    }
    let hint = nearest(name, known.upstreams.iter().map(String::as_str));
    check.problem(place, &format!("there is no upstream `{name}`{hint}"))
}

fn split(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: List<Share>,
    raw_sticky: Option<String>,
    known: &Known,
) -> Option<SplitSettings> {
    let mut shares: Vec<(UpstreamName, u32)> = Vec::new();
    let mut sound = true;
    for (place, raw) in check.list(at, "split", Some(raw))? {
        let hint = "write the name of an upstream";
        let name = check.required(&place, "upstream", raw.upstream, hint);
        let hint = "write its part of the requests, like `5`";
        let weight = check.required(&place, "weight", raw.weight, hint);
        let name = name.and_then(|name| upstream(check, &place.key("upstream"), &name, known));
        let (Some(name), Some(weight)) = (name, weight) else {
            sound = false;
            continue;
        };
        if shares.iter().any(|(known, _)| *known == name) {
            let message = format!("`{name}` is listed twice: leave out one");
            return check.problem(&place.key("upstream"), &message);
        }
        shares.push((name, weight));
    }
    let place = at.key("split");
    if shares.len() > MAX_SHARES {
        let message = format!(
            "{} upstreams are more than the {MAX_SHARES} allowed",
            shares.len()
        );
        return check.problem(&place, &message);
    }
    if !sound {
        return None;
    }
    if shares.iter().all(|(_, weight)| *weight == 0) {
        return check.problem(
            &place,
            "no upstream has a weight: no request could go anywhere",
        );
    }
    let sticky = match raw_sticky {
        Some(text) => Some(sticky(check, &at.key("sticky"), &text)?),
        None => None,
    };
    Some(SplitSettings { shares, sticky })
}

fn sticky(check: &mut Check<'_>, place: &KeyPath, text: &str) -> Option<StickySettings> {
    let token = |name: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.len() <= 64 && name.bytes().all(known)
    };
    let known = match text.split_once(':') {
        None if text == "client" => Some(StickySettings::Client),
        Some(("cookie", name)) if token(name) => Some(StickySettings::Cookie(name.into())),
        Some(("header", name)) => name.parse().ok().map(StickySettings::Header),
        _ => None,
    };
    let message = format!(
        "`{text}` is not what a client is known by: write `client`, `cookie:NAME` or `header:NAME`"
    );
    known.or_else(|| check.problem(place, &message))
}

fn status(check: &mut Check<'_>, at: &KeyPath, raw: &Redirect) -> Option<StatusCode> {
    match raw.status {
        None => Some(StatusCode::PERMANENT_REDIRECT),
        Some(code @ (301 | 302 | 303 | 307 | 308)) => StatusCode::from_u16(code).ok(),
        Some(code) => check.problem(
            &at.key("redirect").key("status"),
            &format!("`{code}` does not redirect: write 301, 302, 303, 307 or 308"),
        ),
    }
}

fn redirect(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Redirect,
    status: StatusCode,
    path: Option<&str>,
) -> Option<RedirectSettings> {
    let at = at.key("redirect");
    let to = match (raw.to, raw.https) {
        (None, Some(true)) => "https://{host}{uri}".to_owned(),
        (Some(_), Some(true)) => {
            let message = "`https = true` says where to: leave out one of the two";
            return check.problem(&at.key("to"), message);
        }
        (to, _) => {
            let hint = "write where to, like `https://{host}{uri}` or `/new/{path}`";
            check.required(&at, "to", to, hint)?
        }
    };
    let place = at.key("to");
    let absolute =
        to.starts_with("http://") || to.starts_with("https://") || to.starts_with("{scheme}://");
    if !(absolute || to.starts_with('/')) || to.bytes().any(|byte| !byte.is_ascii_graphic()) {
        let message = format!("`{to}` is not a place: write a URL or a path, like `/new/{{path}}`");
        return check.problem(&place, &message);
    }
    let used = match pattern::parameters(&to) {
        Ok(used) => used,
        Err(message) => return check.problem(&place, &message),
    };
    // A path that is wrong itself says nothing about its parameters.
    let own = pattern::parameters(path?).unwrap_or_default();
    let own = own.iter().map(|name| name.trim_start_matches('*'));
    let given: Vec<&str> = own.chain(ASKED).collect();
    if let Some(name) = used.iter().find(|name| !given.contains(name)) {
        let hint = nearest(name.trim_start_matches('*'), given.into_iter());
        let message = format!("`{{{name}}}` stands for nothing here{hint}");
        return check.problem(&place, &message);
    }
    Some(RedirectSettings { to, status })
}
