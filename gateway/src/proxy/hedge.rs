//! Another attempt beside one that is slow: whichever answers first is the answer (Dean and Barroso, "The Tail at Scale", 2013).
//!
//! Guarantees: only a safe request without a body is sent twice; a hedge has a permit of the circuit and is paid for by the route's
//! budget; the loser is dropped, which ends its exchange and says nothing of the upstream. Must not: wait for anything but
//! the attempts.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use http::header::UPGRADE;
use http::{Method, Request};
use tokio::time::{Instant, sleep};

use super::attempts::{Attempt, Made};
use super::circuit::{Guarded, Permit};
use super::forward;
use super::overload::Beside;
use super::record::Sharing;
use super::retry::{Plan, copy};
use super::settings::HedgeSettings;
use crate::policy::ids::RouteName;
use crate::policy::retry::Spending;
use crate::telemetry::Counter;
use crate::telemetry::metrics::Metrics;
use crate::upstream::{Endpoint, Patience, RequestBody};

/// A route's hedging.
#[derive(Debug)]
pub(super) struct Hedges {
    after: Duration,
    most: u32,
    won: Arc<Counter>,
    lost: Arc<Counter>,
}

/// Whether a request may be sent twice at once: RFC 9110, section 9.2.1, and nothing that would have to be kept.
pub(super) fn suits(request: &Request<RequestBody>) -> bool {
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    );
    is_safe
        && matches!(request.body(), RequestBody::Empty)
        && !request.headers().contains_key(UPGRADE)
}

impl Hedges {
    pub(super) fn new(metrics: &Metrics, route: &RouteName, settings: HedgeSettings) -> Self {
        let outcome = |label| metrics.http.hedges.with(&[route.as_str(), label]);
        Self {
            after: settings.after,
            most: settings.most,
            won: outcome("won"),
            lost: outcome("lost"),
        }
    }

    /// Makes `first`, and others beside it as long as there is no answer.
    pub(super) async fn race<'a>(
        &self,
        context: &Sharing<'_>,
        plan: &mut Plan<'_>,
        first: Attempt<'a>,
        permit: Permit<'a>,
    ) -> Made {
        let mut others = Others::of(&first, plan, self.most);
        let mut running = FuturesUnordered::new();
        running.push(enter(context, first, Some(permit)));
        let mut timer = pin!(sleep(self.after));
        let mut sent = 0;
        let mut last: Option<Ended> = None;
        loop {
            // The first attempt always ends with a result, so as long as there is none, something runs.
            tokio::select! {
                biased;
                ended = running.next() => last = ended.flatten().or(last),
                () = &mut timer, if others.left > 0 => {
                    if let Some(attempt) = others.next(context, plan) {
                        sent += 1;
                        context.borrow_mut().attempts += 1;
                        running.push(enter(context, attempt, None));
                    }
                    timer.as_mut().reset(Instant::now() + self.after);
                }
            }
            if let Some(ended) = last.take_if(|ended| ended.is_answer || running.is_empty()) {
                self.count(sent, ended.is_hedge);
                return ended.made;
            }
        }
    }

    fn count(&self, sent: u64, won: bool) {
        let won = u64::from(won);
        if sent > 0 {
            self.won.add(won);
            self.lost.add(sent - won);
        }
    }
}

/// How one of the attempts ended.
struct Ended {
    made: Made,
    is_hedge: bool,
    /// Worth more than what the others may still say.
    is_answer: bool,
}

/// One attempt of the race: the first has its permit, a hedge asks for one and is not made without.
async fn enter<'a>(
    context: &Sharing<'_>,
    attempt: Attempt<'a>,
    permit: Option<Permit<'a>>,
) -> Option<Ended> {
    let upstream = attempt.upstream;
    let is_hedge = permit.is_none();
    let permit = match permit {
        Some(permit) => permit,
        None => upstream.admit(context).await.ok()?,
    };
    let made = attempt.make(context, permit).await;
    let response = made.result.as_ref().ok();
    let is_answer = response.is_some_and(|response| !upstream.upstream().is_failure(response));
    Some(Ended {
        made,
        is_hedge,
        is_answer,
    })
}

/// The attempts that may be made beside the first.
struct Others<'a> {
    upstream: &'a Rc<Guarded>,
    request: Option<Box<Request<RequestBody>>>,
    tried: Vec<Rc<Endpoint>>,
    /// When the first attempt's time ends: theirs does too.
    end: Instant,
    left: u32,
}

impl<'a> Others<'a> {
    fn of(first: &Attempt<'a>, plan: &Plan<'_>, most: u32) -> Self {
        let mut tried = plan.tried().to_vec();
        tried.push(Rc::clone(&first.endpoint));
        Self {
            upstream: first.upstream,
            request: copy(&first.request),
            tried,
            end: Instant::now() + first.patience.limit,
            left: most,
        }
    }

    /// One more, if the budget allows it.
    fn next(&mut self, context: &Sharing<'_>, plan: &mut Plan<'_>) -> Option<Attempt<'a>> {
        self.left -= 1;
        // Without room there is no hedge, and nothing is spent on it.
        let Beside::Room(place) = self.upstream.admission().beside() else {
            return None;
        };
        if plan.spend() == Spending::Exhausted {
            self.left = 0;
            return None;
        }
        let request = copy(self.request.as_ref()?)?;
        let upstream = self.upstream.upstream();
        let endpoint = forward::pick(&context.borrow(), upstream, &request, &self.tried).ok()?;
        plan.goes_to(&endpoint);
        self.tried.push(Rc::clone(&endpoint));
        Some(Attempt {
            upstream: self.upstream,
            endpoint,
            request,
            patience: Patience {
                limit: self.end.saturating_duration_since(Instant::now()),
                is_telling: false,
            },
            place,
        })
    }
}
