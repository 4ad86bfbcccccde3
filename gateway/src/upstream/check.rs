//! Active health checks: asks each endpoint now and then, the way a request would be sent to it.
//!
//! Guarantees: runs in the background, one check of an endpoint at a time, each on a connection of its own, because a connection that
//! still works says nothing of whether new ones do; checks are jittered, so that neither replicas nor endpoints are in step.
//! Must not: touch a worker.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use super::attempt::{self, Missed};
use super::endpoint::Endpoint;
use super::member::Member;
use super::membership::Membership;
use super::settings::{HealthSettings, Settings};
use super::upload::RequestBody;

/// The longest before the first check of an endpoint: one that is down from the start should not wait for a whole interval.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// Checks every endpoint, those that come later too.
pub(super) async fn all(membership: Arc<Membership>, slots: Rc<Semaphore>) {
    let mut changes = membership.changes();
    let mut checked = BTreeSet::new();
    loop {
        changes.mark_unchanged();
        let members = membership.members();
        for member in &members.list {
            if checked.insert(member.id) {
                let slots = Rc::clone(&slots);
                spawn_local(one(Arc::clone(&membership), Arc::clone(member), slots));
            }
        }
        checked.retain(|id| members.list.iter().any(|member| member.id == *id));
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Checks one endpoint until it leaves.
async fn one(membership: Arc<Membership>, member: Arc<Member>, slots: Rc<Semaphore>) {
    let Some(health) = &membership.settings().health else {
        return;
    };
    sleep(health.interval.min(FIRST_WITHIN).mul_f64(fastrand::f64())).await;
    let (mut is_healthy, mut against) = (true, 0);
    while !member.is_retired() {
        let Ok(slot) = slots.acquire().await else {
            return;
        };
        let verdict = ask(&member, membership.settings(), health).await;
        drop(slot);
        if verdict.is_ok() == is_healthy {
            against = 0;
        } else {
            against += 1;
            let enough = if is_healthy {
                health.unhealthy
            } else {
                health.healthy
            };
            if against >= enough {
                (is_healthy, against) = (!is_healthy, 0);
                membership.checked(&member, verdict.as_ref().map_err(String::as_str).copied());
            }
        }
        sleep(health.interval.mul_f64(0.9 + fastrand::f64() / 5.0)).await;
    }
}

/// One check; the error is for people.
async fn ask(
    member: &Arc<Member>,
    settings: &Settings,
    health: &HealthSettings,
) -> Result<(), String> {
    let mut alone = settings.clone();
    alone.idle_connections = 0;
    let endpoint = Rc::new(Endpoint::new(member, &alone, &Rc::new(Cell::new(0))));
    let mut request = Request::new(RequestBody::Empty);
    *request.uri_mut() = Uri::from(health.path.clone());
    let host = health.host.as_ref().unwrap_or_else(|| endpoint.host());
    request.headers_mut().insert(HOST, host.clone());
    let agent = HeaderValue::from_static(concat!("gateway-health/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(USER_AGENT, agent);
    let until = Instant::now() + health.timeout;
    match attempt::send(&endpoint, Box::new(request), until, None).await {
        Ok(answer) if health.passes(answer.status().as_u16()) => Ok(()),
        Ok(answer) => Err(format!("check: status {}", answer.status().as_u16())),
        Err(Missed::Failed(error)) => Err(format!("check: {error}")),
        Err(Missed::Late) => Err(format!("check: no answer within {:?}", health.timeout)),
    }
}
