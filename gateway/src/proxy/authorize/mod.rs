//! Step: may this request come in? 401 or 403, before it costs anybody a token.
//!
//! A route names what guards it. All of its address lists must let a request pass; then one of its ways to show credentials must
//! recognise it, tried in the order written; then every external service must agree. What the request turned out to be, its
//! [`Identity`], goes with it: limits count by it, and the upstream is told in headers that no client can set.
//!
//! Guarantees: a credential is never logged and is kept only as a hash; a route without guards pays one branch. Must not: limit, or
//! know who may do what: that is for the upstream, or the service asked.

mod addresses;
mod api_keys;
mod basic;
mod build;
mod challenge;
mod external;
mod identity;
mod jwt;
mod keyset;
mod recall;
mod reserved;
mod source;

pub use keyset::{KeySet, KeySetError};
pub use source::{KeySource, Remote};

pub(super) use addresses::within;
pub(super) use build::{Guards, Tools};
pub(super) use identity::Identity;
pub(super) use reserved::Reserved;

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use http::Response;
use http::header::AUTHORIZATION;
use http::request::Parts as Head;
use http::uri::PathAndQuery;

use self::addresses::Addresses;
use self::api_keys::ApiKeys;
use self::basic::Basic;
use self::external::{Answer, External};
use self::jwt::Jwt;
use super::Body;
use super::record::Context;
use super::refusal::Refusal;
use crate::telemetry::Counter;
use crate::telemetry::traces::Trace;

/// What stands before one route.
#[derive(Debug)]
pub(super) struct Guard {
    addresses: Vec<Rc<Counted<Addresses>>>,
    credentials: Vec<Rc<Counted<Credentials>>>,
    external: Vec<Rc<Counted<External>>>,
}

/// Ways to show who one is.
#[derive(Debug)]
enum Credentials {
    ApiKeys(ApiKeys),
    Jwt(Jwt),
    Basic(Basic),
}

/// What was found in a request.
#[derive(Debug)]
enum Found {
    /// Nothing of this kind.
    Nothing,
    /// Somebody.
    Somebody(Rc<Identity>),
    /// Credentials that nobody here knows; another way of the route may.
    Unknown(Why),
    /// Credentials that are not good.
    Bad(Why),
    /// Nobody can say at present: refuse.
    Unavailable,
    /// Nobody can say at present: let pass.
    Unchecked,
}

/// Why credentials are not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Unknown, forged, meant for somebody else, or unreadable.
    Invalid,
    /// Good once.
    Expired,
    /// Good, and not enough for this.
    Insufficient,
    /// Shown twice, so that two readers could see two people.
    Ambiguous,
}

/// One way, with its counters.
#[derive(Debug)]
struct Counted<T> {
    way: T,
    /// What a client is told that shows nothing.
    challenge: HeaderValue,
    forward_credentials: bool,
    counts: Counts,
}

/// `gateway_auth_decisions_total` of one way.
#[derive(Debug)]
struct Counts {
    granted: Arc<Counter>,
    missing: Arc<Counter>,
    invalid: Arc<Counter>,
    denied: Arc<Counter>,
    unavailable: Arc<Counter>,
    unchecked: Arc<Counter>,
}

impl Guard {
    /// Lets the request in, or says why not; an answer is the external service's own.
    pub(super) async fn admit(
        &self,
        context: &mut Context,
        head: &Head,
    ) -> Result<Option<Response<Body>>, Refusal> {
        for one in &self.addresses {
            if !one.way.admits(context.address) {
                one.counts.denied.inc();
                return Err(Refusal::Forbidden(None));
            }
            one.counts.granted.inc();
        }
        if !self.credentials.is_empty() {
            self.recognise(context, head).await?;
        }
        for one in &self.external {
            match self.ask(one, context, head).await? {
                Answer::Agreed => {}
                Answer::Refused(answer) => return Ok(Some(*answer)),
            }
        }
        Ok(None)
    }

    /// The first way that recognises what the request shows decides.
    async fn recognise(&self, context: &mut Context, head: &Head) -> Result<(), Refusal> {
        let mut unknown = None;
        for one in &self.credentials {
            let counts = &one.counts;
            match one.way.look(head, &mut context.trace).await {
                Found::Nothing => {}
                Found::Somebody(identity) => {
                    counts.granted.inc();
                    context.identity = Some(identity);
                    return Ok(());
                }
                Found::Unchecked => {
                    counts.unchecked.inc();
                    return Ok(());
                }
                Found::Unavailable => {
                    counts.unavailable.inc();
                    return Err(Refusal::Undecided);
                }
                Found::Unknown(why) => {
                    unknown.get_or_insert((one, why));
                }
                Found::Bad(why) => return Err(refused(one, why)),
            }
        }
        match unknown {
            Some((one, why)) => Err(refused(one, why)),
            None => {
                for one in &self.credentials {
                    one.counts.missing.inc();
                }
                let all = self.credentials.iter().map(|one| one.challenge.clone());
                Err(Refusal::Unauthorized(all.collect()))
            }
        }
    }

    async fn ask(
        &self,
        one: &Counted<External>,
        context: &mut Context,
        head: &Head,
    ) -> Result<Answer, Refusal> {
        let asked = one.way.ask(context, head).await;
        match &asked {
            Ok(Answer::Agreed) => one.counts.granted.inc(),
            Ok(Answer::Refused(_)) => one.counts.denied.inc(),
            Err(external::Silent::Allowed) => one.counts.unchecked.inc(),
            Err(external::Silent::Denied) => one.counts.unavailable.inc(),
        }
        match asked {
            Ok(answer) => Ok(answer),
            Err(external::Silent::Allowed) => Ok(Answer::Agreed),
            Err(external::Silent::Denied) => Err(Refusal::Undecided),
        }
    }

    /// Takes the credentials of every way off the request, whichever decided, unless the upstream is to have them: out of its headers, and
    /// out of the query that goes upstream, which is that of `path` if there is one. The new path, if it is another.
    pub(super) fn take_credentials(
        &self,
        head: &mut Head,
        mut path: Option<PathAndQuery>,
    ) -> Option<PathAndQuery> {
        for one in &self.credentials {
            if one.forward_credentials {
                continue;
            }
            let Credentials::ApiKeys(keys) = &one.way else {
                head.headers.remove(AUTHORIZATION);
                continue;
            };
            head.headers.remove(keys.header());
            let target = path.as_ref().or_else(|| head.uri.path_and_query());
            let rest = keys.parameter().zip(target);
            let rest = rest.and_then(|(name, target)| api_keys::without(target, name));
            path = rest.or(path);
        }
        path
    }
}

fn refused(one: &Counted<Credentials>, why: Why) -> Refusal {
    let counts = &one.counts;
    match why {
        Why::Insufficient => {
            counts.denied.inc();
            Refusal::Forbidden(Some(challenge::with_error(&one.challenge, why)))
        }
        Why::Ambiguous => {
            counts.invalid.inc();
            Refusal::BadRequest("The credentials are there more than once.")
        }
        Why::Invalid | Why::Expired => {
            counts.invalid.inc();
            let challenge = match &one.way {
                Credentials::Jwt(_) => challenge::with_error(&one.challenge, why),
                _ => one.challenge.clone(),
            };
            Refusal::Unauthorized(vec![challenge])
        }
    }
}

impl Credentials {
    async fn look(&self, head: &Head, trace: &mut Trace) -> Found {
        match self {
            Self::ApiKeys(keys) => keys.look(head, trace).await,
            Self::Jwt(jwt) => jwt.look(&head.headers).await,
            Self::Basic(basic) => basic.look(&head.headers).await,
        }
    }
}

/// What an `Authorization` of `scheme` says after it: nothing when there is none of that scheme.
fn authorization<'a>(headers: &'a http::HeaderMap, scheme: &str) -> Result<Option<&'a str>, Why> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = all.next() else {
        return Ok(None);
    };
    if all.next().is_some() {
        return Err(Why::Ambiguous);
    }
    let Ok(text) = value.to_str() else {
        return Ok(None);
    };
    let (said, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(said
        .eq_ignore_ascii_case(scheme)
        .then(|| rest.trim_matches(' ')))
}
