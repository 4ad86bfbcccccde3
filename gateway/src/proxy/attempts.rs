//! The one loop: attempts until one is the answer.
//!
//! Guarantees: each attempt has a permit of the circuit and reports to it. Must not: decide whether there is another attempt; that is
//! [`super::retry`]'s part.

use std::rc::Rc;

use http::Request;
use tokio::time::sleep;

use super::circuit::{Guarded, LateFailure};
use super::record::Context;
use super::refusal::Refusal;
use super::retry::{Next, Plan};
use super::route::Route;
use super::{Proxy, forward};
use crate::telemetry::Counter;
use crate::upstream::{Received, RequestBody};

impl Proxy {
    /// Attempts until one is the answer.
    pub(super) async fn attempts(
        &self,
        context: &mut Context,
        route: &Route,
        upstream: &Rc<Guarded>,
        request: Request<RequestBody>,
    ) -> Result<(Received, Option<LateFailure>), Refusal> {
        let mut plan = Plan::new(route.retry(), request);
        let mut tried = Vec::new();
        loop {
            let permit = upstream.admit(context).await?;
            let Some(request) = plan.request() else {
                return Err(Refusal::NoEndpoint);
            };
            let endpoint = forward::pick(context, upstream.upstream(), &request, &tried)?;
            let result = forward::send(
                context,
                upstream.upstream(),
                upstream.metrics(),
                &endpoint,
                request,
            )
            .await;
            let late = permit.report(context, &result).await;
            match plan.next(result) {
                Next::Done(Ok(received)) => return Ok((received, late)),
                Next::Done(Err(error)) => return Err(forward::refusal(&error)),
                Next::Again(wait, reason) => {
                    self.count_retry(route, reason).inc();
                    tried.push(endpoint);
                    sleep(wait).await;
                }
            }
        }
    }

    fn count_retry(&self, route: &Route, reason: &str) -> std::sync::Arc<Counter> {
        self.metrics
            .retries
            .with(&[route.settings.name.as_str(), reason])
    }
}
