//! Asking the origin: for one client, for all, or again in the background.
//!
//! Guarantees: a fill asks for what serves all, without its client's own conditions, and with those that ask whether what is kept still
//! holds; an error is answered with what is stale where that is allowed. Must not: retry; that is [`super::super::retry`]'s part.

use std::rc::Rc;
use std::sync::Arc;

use http::{Method, Response};
use tokio::time::Instant;

use super::route::RouteCache;
use super::settle::{Asking, is_failure};
use super::status::{Forwarded, Outcome};
use super::{Inbound, Way, Wish};
use crate::cache::{Entry, Fill, Look, Recall, Turn};
use crate::policy::cacheability::{Directives, Use, validators};
use crate::proxy::attempts::attempts;
use crate::proxy::record::{Places, Record};
use crate::proxy::refusal::Refusal;
use crate::proxy::{Body, Proxy, exchange, spans};

impl Proxy {
    /// Asks for this client alone. `base` may stand in for an error.
    #[expect(clippy::too_many_arguments, reason = "what the step before found out")]
    pub(super) async fn alone(
        &self,
        record: &mut Record,
        way: Way<'_>,
        cache: &RouteCache,
        wish: &Wish,
        base: Option<Arc<Entry>>,
        because: Forwarded,
        inbound: &mut Inbound,
    ) -> Result<Response<Body>, Refusal> {
        let head = base.is_some().then(|| inbound.head.clone());
        let outcome = self.forward(record, way, inbound).await;
        if let (Some(base), Some(head)) = (&base, &head)
            && is_failure(&outcome)
            && base.terms.allow_on_error(base.age(), &wish.directives)
        {
            return Ok(cache.hit(record, head, base, Outcome::StaleError));
        }
        let mut answer = outcome?;
        cache.count(Outcome::Pass);
        let members = because.members(answer.status().as_u16(), Err(None));
        cache.status(answer.headers_mut(), &members);
        Ok(answer)
    }

    /// Asks for all, after asking the fleet.
    #[expect(clippy::too_many_arguments, reason = "what the step before found out")]
    pub(super) async fn fill(
        &self,
        record: &mut Record,
        way: Way<'_>,
        cache: &RouteCache,
        wish: &Wish,
        mut fill: Box<Fill>,
        base: Option<Arc<Entry>>,
        inbound: &mut Inbound,
        deadline: Instant,
    ) -> Result<Response<Body>, Refusal> {
        let Some(reads) = &cache.reads else {
            return self.forward(record, way, inbound).await;
        };
        let serves = |entry: &Entry| {
            (!wish.personal || entry.terms.for_authorized)
                && entry.terms.allow(entry.age(), &wish.directives) != Use::Validate
        };
        let headers = &inbound.head.headers;
        let asking = record.context.trace.is_recording().then(Instant::now);
        let recalled = fill.recall(&reads.class, headers, deadline, serves).await;
        let asking = asking.filter(|_| fill.was_answered());
        if let (Some(begun), Some(store)) = (asking, &cache.kept.store) {
            let route = way.route.settings.name.as_str();
            let told = spans::store(store, "recall", route, begun, true);
            record.context.trace.called(None, told);
        }
        let base = match recalled {
            Recall::Enough(entry) => {
                let answer = cache.hit(record, &inbound.head, &entry, Outcome::of(&entry));
                fill.found(&entry);
                return Ok(answer);
            }
            Recall::Ask(entry) => entry.or(base),
            Recall::Pass(entry) => {
                fill.pass();
                let base = entry.or(base);
                return self
                    .alone(record, way, cache, wish, base, Forwarded::Miss, inbound)
                    .await;
            }
        };
        let base = base.filter(|base| !wish.personal || base.terms.for_authorized);
        let head = inbound.head.clone();
        validators(
            &mut inbound.head.headers,
            base.as_ref().map(|base| &base.headers),
        );
        let asked_at = Instant::now();
        let outcome = self.forward(record, way, inbound).await;
        let asking = Asking {
            cache,
            wish,
            head,
            base,
            delay: asked_at.elapsed(),
        };
        asking.settle(record, fill, outcome).await
    }

    /// Asks again for what was answered stale, unless somebody does.
    pub(super) fn refresh(
        &self,
        record: &Record,
        way: Way<'_>,
        cache: &RouteCache,
        look: &Look,
        base: Arc<Entry>,
        inbound: &mut Inbound,
    ) {
        let Some(reads) = &cache.reads else { return };
        let kept = &cache.kept;
        let Turn::Fill(mut fill) = kept.cache.begin(look, &reads.class, kept.store.as_ref()) else {
            return;
        };
        let scheme = self.scheme(way.peer, &inbound.head);
        let mut wish = reads.wish(&scheme, &inbound.head, way.route.guard.is_some());
        let mut head = inbound.head.clone();
        head.method = Method::GET;
        inbound.head.method = Method::GET;
        // The client's own words were for its own answer.
        wish.directives = Directives::default();
        validators(&mut inbound.head.headers, Some(&base.headers));
        let request = self.outgoing(record, way.peer, inbound, None);
        let mut context = record.context.behind();
        let (route, upstream) = (Rc::clone(way.route), Rc::clone(way.upstream));
        tokio::task::spawn_local(async move {
            let Some(cache) = &route.cache else { return };
            let Some(reads) = &cache.reads else { return };
            let deadline = Instant::now() + cache.kept.cache.settings().fill_timeout;
            let is_fresh = |entry: &Entry| entry.age() < entry.terms.fresh_for;
            let recalled = fill.recall(&reads.class, &head.headers, deadline, is_fresh);
            match recalled.await {
                Recall::Enough(entry) => return fill.found(&entry),
                Recall::Pass(_) => return fill.pass(),
                Recall::Ask(_) => {}
            }
            // Nobody waits for it: where there is no room it is not made.
            let Ok(whole) = upstream.admission().arrive() else {
                return fill.give_up();
            };
            let mut places = Places {
                whole,
                ..Places::default()
            };
            let asked_at = Instant::now();
            let outcome = attempts(&mut context, &mut places, &route, &upstream, request).await;
            let outcome = outcome.and_then(|(received, late)| exchange::plain(received, late));
            let asking = Asking {
                cache,
                wish: &wish,
                head,
                base: Some(base),
                delay: asked_at.elapsed(),
            };
            asking.settle_behind(fill, outcome).await;
        });
    }
}
