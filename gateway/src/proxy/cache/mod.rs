//! Answers from what is kept, and what is kept of answers: RFC 9111, with what a route adds.
//!
//! Guarantees: a kept answer costs its client's tokens like any other, and needs no upstream and no circuit; of many who miss at once
//! one asks; what is stale stands in for an error where that is allowed; every answer of a route that keeps says what was done
//! (RFC 9211). Must not: cost a route without `cache` more than a branch.

mod answer;
mod collect;
mod fields;
mod fill;
mod purge;
mod route;
mod settle;
mod status;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use http::header::RANGE;
use http::request::Parts as Head;
use http::uri::PathAndQuery;
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;

pub(super) use collect::Relay;
use route::Reads;
pub(super) use route::{Kept, RouteCache};
use status::{Forwarded, Outcome};

use super::circuit::Guarded;
use super::headers::X_FORWARDED_PROTO;
use super::record::Record;
use super::refusal::Refusal;
use super::route::Route;
use super::{Body, Peer, Proxy, upgrade};
use crate::cache::{Cache, Entry, Look, Turn, Waited};
use crate::policy::cacheability::{Asked, Condition, Digest, Directives, Use};

/// Where a request goes: what does not change on its way.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) peer: &'a Peer,
    pub(super) route: &'a Rc<Route>,
    pub(super) upstream: &'a Rc<Guarded>,
}

/// A request on its way.
pub(super) struct Inbound {
    pub(super) head: Head,
    /// The path upstream, when it is not the one that came.
    pub(super) path: Option<PathAndQuery>,
    /// None once it goes upstream.
    pub(super) body: Option<Incoming>,
}

impl Inbound {
    #[inline]
    pub(super) fn new(request: Request<Incoming>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            head,
            path: None,
            body: Some(body),
        }
    }

    /// How long the body is, as far as the request says.
    pub(super) fn length(&self) -> Option<u64> {
        self.body.as_ref().and_then(|body| body.size_hint().exact())
    }

    pub(super) fn has_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| !body.is_end_stream())
    }
}

/// What a request asks of what is kept.
struct Wish {
    target: Digest,
    directives: Directives,
    asked: Asked,
    /// With credentials: what is kept must say that it is for all.
    personal: bool,
}

/// What to do about a request that is not answered from what is kept.
enum Next {
    /// There is an answer after all.
    Hit(Arc<Entry>, Outcome),
    /// Ask the origin, for this client alone.
    Alone(Option<Arc<Entry>>, Forwarded),
    /// Ask the origin, for all.
    Fill(Box<crate::cache::Fill>, Option<Arc<Entry>>),
}

impl Proxy {
    /// The scheme the client used: what a trusted proxy says of it, else this connection's. Upstreams are told the same, and answer
    /// one with a redirect to the other.
    fn scheme(&self, peer: &Peer, head: &Head) -> Cow<'static, str> {
        let told = head.headers.get(X_FORWARDED_PROTO);
        let told = told.filter(|_| self.identify.trusts(peer.address));
        match told.and_then(|scheme| scheme.to_str().ok()) {
            Some(scheme) => scheme.to_ascii_lowercase().into(),
            None => peer.scheme().into(),
        }
    }

    /// The answer of a route that keeps answers, or whose requests purge some.
    pub(super) async fn cached(
        &self,
        record: &mut Record,
        way: Way<'_>,
        cache: &RouteCache,
        inbound: &mut Inbound,
    ) -> Result<Response<Body>, Refusal> {
        let head = &inbound.head;
        if !head.method.is_safe() {
            return self.written(record, way, cache, inbound).await;
        }
        let Some(reads) = &cache.reads else {
            return self.forward(record, way, inbound).await;
        };
        let because = if !reads.settings.methods.contains(&head.method) {
            Some(Forwarded::Method)
        } else if inbound.has_body()
            || upgrade::wanted(head).is_some()
            || Condition::of(&head.headers) == Condition::OriginOnly
        {
            Some(Forwarded::Bypass)
        } else {
            None
        };
        if let Some(because) = because {
            reads.count(Outcome::Bypass);
            let mut answer = self.forward(record, way, inbound).await?;
            cache.status(answer.headers_mut(), &because.member());
            return Ok(answer);
        }
        self.read(record, way, cache, reads, inbound).await
    }

    async fn read(
        &self,
        record: &mut Record,
        way: Way<'_>,
        cache: &RouteCache,
        reads: &Reads,
        inbound: &mut Inbound,
    ) -> Result<Response<Body>, Refusal> {
        let scheme = self.scheme(way.peer, &inbound.head);
        let wish = reads.wish(&scheme, &inbound.head, way.route.guard.is_some());
        let near = &cache.kept.cache;
        let deadline = Instant::now() + near.settings().fill_timeout;
        let deadline = record.deadline().map_or(deadline, |end| end.min(deadline));
        loop {
            let look = near.look(&wish.target, &reads.class, &inbound.head.headers);
            let entry = look.entry.clone();
            let entry = entry.filter(|entry| !wish.personal || entry.terms.for_authorized);
            if let Some(entry) = &entry {
                match entry.terms.allow(entry.age(), &wish.directives) {
                    Use::Validate => {}
                    Use::WhileRevalidating => {
                        let answer = cache.hit(record, &inbound.head, entry, Outcome::Stale);
                        self.refresh(record, way, cache, &look, Arc::clone(entry), inbound);
                        return Ok(answer);
                    }
                    Use::Fresh | Use::Stale => {
                        let outcome = Outcome::of(entry);
                        return Ok(cache.hit(record, &inbound.head, entry, outcome));
                    }
                }
            }
            let next = next(cache, reads, &wish, look, entry, &inbound.head, deadline);
            match next.await? {
                None => {}
                Some(Next::Hit(entry, outcome)) => {
                    return Ok(cache.hit(record, &inbound.head, &entry, outcome));
                }
                Some(Next::Alone(base, because)) => {
                    return self
                        .alone(record, way, cache, &wish, base, because, inbound)
                        .await;
                }
                Some(Next::Fill(fill, base)) => {
                    return self
                        .fill(record, way, cache, &wish, fill, base, inbound, deadline)
                        .await;
                }
            }
        }
    }
}

/// What to do about a miss, or about what must be asked for; none: look again.
async fn next(
    cache: &RouteCache,
    reads: &Reads,
    wish: &Wish,
    look: Look,
    entry: Option<Arc<Entry>>,
    head: &Head,
    deadline: Instant,
) -> Result<Option<Next>, Refusal> {
    if wish.directives.only_if_cached {
        return Err(Refusal::OnlyIfCached);
    }
    let miss = if entry.is_some() {
        Forwarded::Stale
    } else {
        Forwarded::Miss
    };
    let is_part = head.headers.contains_key(RANGE);
    if look.pass || is_part || wish.asked.no_store || head.method != Method::GET {
        let because = if is_part { Forwarded::Partial } else { miss };
        return Ok(Some(Next::Alone(entry, because)));
    }
    let wait = match cache
        .kept
        .cache
        .begin(&look, &reads.class, cache.kept.store.as_ref())
    {
        Turn::Fill(fill) => return Ok(Some(Next::Fill(fill, entry))),
        Turn::Wait(wait) => wait,
    };
    // Who would have to ask whatever comes of it need not wait.
    let asks_always = entry.as_ref().is_some_and(|entry| entry.terms.no_cache);
    if wish.directives.no_cache || wish.personal || asks_always || Instant::now() >= deadline {
        return Ok(Some(Next::Alone(entry, miss)));
    }
    Ok(match wait.ended(deadline).await {
        Waited::Again => None,
        Waited::Pass => Some(Next::Alone(entry, miss)),
        Waited::Done(entry) | Waited::Failed(entry) if !Cache::selects(&look, &entry) => None,
        Waited::Done(entry) => Some(match entry.terms.allow(entry.age(), &wish.directives) {
            Use::Validate => Next::Alone(Some(entry), miss),
            _ => Next::Hit(entry, Outcome::Collapsed),
        }),
        Waited::Failed(entry) => Some(
            if entry.terms.allow_on_error(entry.age(), &wish.directives) {
                Next::Hit(entry, Outcome::StaleError)
            } else {
                Next::Alone(Some(entry), miss)
            },
        ),
    })
}
