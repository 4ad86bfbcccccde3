//! The one loop: attempts until one is the answer.
//!
//! Guarantees: each attempt has a permit of the circuit and reports to it; an open circuit ends the attempts. Must not: decide whether
//! there is another attempt; that is [`super::retry`]'s part.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::Request;
use tokio::time::sleep;

use super::circuit::{Guarded, LateFailure, Permit};
use super::deadline::Deadline;
use super::forward::{self, Measured};
use super::grpc::Call;
use super::hedge;
use super::record::{Context, Places, Sharing};
use super::refusal::Refusal;
use super::retry::{Next, Plan};
use super::route::Route;
use crate::upstream::{AttemptError, Endpoint, Patience, Place, Received, RequestBody};

/// One attempt, about to be made.
pub(super) struct Attempt<'a> {
    pub(super) upstream: &'a Rc<Guarded>,
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) request: Box<Request<RequestBody>>,
    pub(super) patience: Patience,
    /// Its own place at the upstream, if it has one beside its request's.
    pub(super) place: Option<Place>,
}

/// An attempt that was made and reported.
pub(super) struct Made {
    pub(super) result: Result<Received, AttemptError>,
    pub(super) late: Option<LateFailure>,
    pub(super) took: Duration,
    pub(super) place: Option<Place>,
}

impl Attempt<'_> {
    /// Makes the attempt. Dropped before its end, it says nothing of the upstream.
    pub(super) async fn make(self, context: &Sharing<'_>, permit: Permit<'_>) -> Made {
        let Measured { result, took } = forward::send(
            context,
            self.upstream,
            &self.endpoint,
            self.request,
            self.patience,
        )
        .await;
        let late = permit.report(context, &result, took).await;
        if !matches!(&result, Err(error) if !error.is_upstream_fault()) {
            self.upstream.admission().answered(took);
        }
        Made {
            result,
            late,
            took,
            place: self.place,
        }
    }
}

/// Attempts until one is the answer.
pub(super) async fn attempts(
    context: &mut Context,
    places: &mut Places,
    route: &Route,
    upstream: &Rc<Guarded>,
    request: Box<Request<RequestBody>>,
) -> Result<(Received, Option<LateFailure>), Refusal> {
    let deadline = Deadline::new(context.started, route.settings.timeout);
    let timeout = upstream.upstream().timeout();
    let longest = route
        .retries
        .as_ref()
        .map_or(timeout, |retries| retries.attempt_timeout(timeout));
    places.upstream = upstream.admission().enter(deadline).await?;
    let hedges = route.hedges.as_ref();
    let hedges = hedges.filter(|_| hedge::suits(&request));
    let mut plan = Plan::new(route.retries.as_ref(), deadline, request);
    loop {
        let call = context.grpc.as_ref();
        let own = deadline.within(longest);
        let limit = call
            .and_then(Call::patience)
            .map_or(own, |patience| own.min(patience));
        if limit.is_zero() {
            return Err(Refusal::UpstreamTimeout);
        }
        let sharing = RefCell::new(&mut *context);
        let permit = match route.settings.circuit {
            true => upstream.admit(&sharing).await?,
            false => upstream.pass_by(),
        };
        let Some(request) = plan.request() else {
            return Err(Refusal::NoEndpoint);
        };
        let endpoint = {
            let context = sharing.borrow();
            forward::pick(&context, upstream.upstream(), &request, plan.tried())?
        };
        let attempt = Attempt {
            upstream,
            endpoint,
            request,
            patience: Patience {
                limit,
                is_telling: limit == own && (!plan.is_repeated() || own == longest),
            },
            place: None,
        };
        plan.goes_to(&attempt.endpoint);
        sharing.borrow_mut().attempts += 1;
        let made = match hedges {
            None => attempt.make(&sharing, permit).await,
            // Boxed: few requests are hedged, and every one would hold the state of a race.
            Some(hedges) => Box::pin(hedges.race(&sharing, &mut plan, attempt, permit)).await,
        };
        // The answer is a hedge's: its place stays, and that of the attempt it has overtaken is free.
        if let Some(place) = made.place {
            places.upstream = Some(place);
        }
        *context.upstream_time.get_or_insert_default() += made.took;
        match plan.next(made.result) {
            Next::Done(Ok(received)) => return Ok((received, made.late)),
            Next::Done(Err(error)) => return Err(forward::refusal(&error)),
            Next::Again(wait, reason) => {
                sleep(wait).await;
                reason.inc();
            }
        }
    }
}
