//! What may be kept, on which terms, and what the terms allow later.
//!
//! Guarantees: an answer is kept only if every rule of RFC 9111, section 3, lets it. Must not: look at a clock.

use std::time::Duration;

use http::header::{AGE, AUTHORIZATION, COOKIE, DATE, ETAG, EXPIRES, LAST_MODIFIED, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};

use super::dates::date;
use super::directives::{Directives, seconds};

/// How long something may be kept past its last use, so that a clock far ahead of ours does not keep it for ever.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// What can be validated is kept at least so long after it has become stale: asking "still the same?" is cheaper than asking anew.
const VALIDATION: Duration = Duration::from_secs(60);

/// What a route adds to what its upstream says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How long an answer is fresh of which the upstream says nothing.
    pub ttl: Option<Duration>,
    /// For how long it may be used stale while it is asked for anew, where the upstream says nothing.
    pub stale_while_revalidate: Option<Duration>,
    /// For how long it may be used stale in place of an error, where the upstream says nothing.
    pub stale_if_error: Option<Duration>,
    /// Whether answers are the same for everybody, whatever `Authorization` or `Cookie` a request has.
    pub ignore_authorization: bool,
}

/// What of a request decides whether its answer may be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// It came with credentials.
    pub authorized: bool,
    /// It came with cookies.
    pub cookies: bool,
    /// It asked that nothing be kept.
    pub no_store: bool,
}

impl Asked {
    /// Of a request with these fields and directives.
    #[must_use]
    pub fn of(headers: &HeaderMap, directives: &Directives) -> Self {
        Self {
            authorized: headers.contains_key(AUTHORIZATION),
            cookies: headers.contains_key(COOKIE),
            no_store: directives.no_store,
        }
    }
}

/// Why an answer is not kept. The word is told in `Cache-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The method's answers are never kept.
    Method,
    /// The status is not one to repeat.
    Status,
    /// The client or the upstream says `no-store`.
    NoStore,
    /// `private`.
    Private,
    /// `Set-Cookie`.
    SetCookie,
    /// The request had credentials and the answer does not say that it is for all.
    Authorization,
    /// The request had cookies, and the upstream says nothing of caches.
    Cookie,
    /// `Vary: *`, or more of it than is kept track of.
    Vary,
    /// Nothing says for how long.
    NoLifetime,
}

impl Reason {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Method => "METHOD",
            Self::Status => "STATUS",
            Self::NoStore => "NO_STORE",
            Self::Private => "PRIVATE",
            Self::SetCookie => "SET_COOKIE",
            Self::Authorization => "AUTHORIZATION",
            Self::Cookie => "COOKIE",
            Self::Vary => "VARY",
            Self::NoLifetime => "NO_LIFETIME",
        }
    }
}

/// What was agreed when an answer was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// For how long it is fresh, counted from when the origin made it.
    pub fresh_for: Duration,
    /// For how much longer it may be used while it is asked for anew.
    pub stale_while_revalidate: Duration,
    /// For how much longer it may be used in place of an error.
    pub stale_if_error: Duration,
    /// For how long it is of any use at all.
    pub keep_for: Duration,
    /// It is never used without asking.
    pub no_cache: bool,
    /// It is never used stale.
    pub never_stale: bool,
    /// It may answer requests with credentials.
    pub for_authorized: bool,
}

/// On which terms the answer to `asked`, which came at `now` (seconds since 1970), may be kept.
///
/// # Errors
/// The first reason against it.
pub fn judge(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    asked: Asked,
    rules: &Rules,
    now: u64,
) -> Result<Terms, Reason> {
    let said = Directives::of_response(headers);
    let told = said.s_maxage.or(said.max_age);
    let told = told.or_else(|| expiry(headers, now));
    if *method != Method::GET {
        return Err(Reason::Method);
    }
    if asked.no_store || said.no_store {
        return Err(Reason::NoStore);
    }
    if said.private {
        return Err(Reason::Private);
    }
    if headers.contains_key(SET_COOKIE) {
        return Err(Reason::SetCookie);
    }
    let for_all = said.public || said.must_revalidate || said.s_maxage.is_some();
    let for_authorized = for_all || rules.ignore_authorization;
    if asked.authorized && !for_authorized {
        return Err(Reason::Authorization);
    }
    if !may_repeat(status, told.is_some()) {
        return Err(Reason::Status);
    }
    let can_be_validated = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    let fresh_for = match told {
        Some(told) => told,
        None if said.no_cache && can_be_validated => Duration::ZERO,
        None if said.no_cache => return Err(Reason::NoLifetime),
        // The upstream may not know that there is a cache: whom it answers by cookie, it answers alone.
        None if asked.cookies && !rules.ignore_authorization => return Err(Reason::Cookie),
        None => rules.ttl.ok_or(Reason::NoLifetime)?,
    };
    if fresh_for.is_zero() && !can_be_validated {
        return Err(Reason::NoLifetime);
    }
    Ok(terms(
        &said,
        rules,
        fresh_for,
        can_be_validated,
        for_authorized,
    ))
}

fn terms(
    said: &Directives,
    rules: &Rules,
    fresh_for: Duration,
    can_be_validated: bool,
    for_authorized: bool,
) -> Terms {
    let either = |said: Option<Duration>, own: Option<Duration>| said.or(own).unwrap_or_default();
    // RFC 9111, section 4.2.4: `s-maxage` has the meaning of `proxy-revalidate`, and `no-cache` is asked for each time.
    let never_stale =
        said.must_revalidate || said.proxy_revalidate || said.s_maxage.is_some() || said.no_cache;
    let stale = |span: Duration| {
        if never_stale { Duration::ZERO } else { span }
    };
    let stale_while_revalidate = stale(either(
        said.stale_while_revalidate,
        rules.stale_while_revalidate,
    ));
    let stale_if_error = stale(either(said.stale_if_error, rules.stale_if_error));
    let validation = if can_be_validated {
        fresh_for.max(VALIDATION)
    } else {
        Duration::ZERO
    };
    let longer = stale_while_revalidate.max(stale_if_error).max(validation);
    Terms {
        fresh_for,
        stale_while_revalidate,
        stale_if_error,
        keep_for: fresh_for.saturating_add(longer).min(LONGEST),
        no_cache: said.no_cache,
        never_stale,
        for_authorized,
    }
}

/// Statuses that may be used again: with a lifetime of the upstream's, what is no part and no failure; without, those that
/// RFC 9110, section 15.1, calls heuristically cacheable.
fn may_repeat(status: StatusCode, told: bool) -> bool {
    match status.as_u16() {
        206 | 304 => false,
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 => true,
        200..=499 => told,
        _ => false,
    }
}

/// What `Expires` says, counted from the upstream's own clock, or from when it came where the upstream does not tell the time
/// (RFC 9111, section 4.2.1); none if it says nothing, nothing if it cannot be read.
fn expiry(headers: &HeaderMap, now: u64) -> Option<Duration> {
    if !headers.contains_key(EXPIRES) {
        return None;
    }
    let expires = date(headers, &EXPIRES).unwrap_or_default();
    let made = date(headers, &DATE).unwrap_or(now);
    Some(Duration::from_secs(expires.saturating_sub(made)))
}

/// How old an answer is when it comes in (RFC 9111, section 4.2.3). `now` is seconds since 1970, `delay` what it took to come.
#[must_use]
pub fn initial_age(headers: &HeaderMap, now: u64, delay: Duration) -> Duration {
    let made = date(headers, &DATE).unwrap_or(now);
    let apparent = Duration::from_secs(now.saturating_sub(made));
    let told = headers.get(AGE).and_then(|age| age.to_str().ok());
    let told = told.and_then(|age| seconds(age.split(',').next()?.trim()));
    // Whole seconds either way: what came at once is not a second old for it.
    let delay = Duration::from_secs(delay.as_secs());
    apparent.max(told.unwrap_or_default() + delay)
}

/// What may be done with something kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is the answer.
    Fresh,
    /// It is the answer for now; ask anew meanwhile.
    WhileRevalidating,
    /// It is the answer, stale as it is: the client says so.
    Stale,
    /// Ask first.
    Validate,
}

impl Terms {
    /// What may be done for a request with these directives with what is `age` old.
    #[must_use]
    pub fn allow(&self, age: Duration, request: &Directives) -> Use {
        let too_old = request.max_age.is_some_and(|most| age > most);
        if self.no_cache || request.no_cache || too_old {
            return Use::Validate;
        }
        let needed = request.min_fresh.unwrap_or_default();
        if age.saturating_add(needed) < self.fresh_for {
            return Use::Fresh;
        }
        if !needed.is_zero() || self.never_stale {
            return Use::Validate;
        }
        let staleness = age.saturating_sub(self.fresh_for);
        if staleness < self.stale_while_revalidate {
            return Use::WhileRevalidating;
        }
        match request.max_stale {
            Some(most) if staleness <= most => Use::Stale,
            _ => Use::Validate,
        }
    }

    /// Whether it may stand in for an error.
    #[must_use]
    pub fn allow_on_error(&self, age: Duration, request: &Directives) -> bool {
        let span = self
            .stale_if_error
            .max(request.stale_if_error.unwrap_or_default());
        !self.never_stale && age < self.fresh_for.saturating_add(span)
    }

    /// How much longer it is fresh, in whole seconds; below zero, how long it has been stale.
    #[must_use]
    pub fn ttl(&self, age: Duration) -> i64 {
        let whole = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        whole(self.fresh_for) - whole(age)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
