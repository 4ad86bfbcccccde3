//! What operators order, carried out; and what was ordered through other replicas, heard.
//!
//! Guarantees: what concerns the fleet goes through the store, so that every replica does it. Must not: decide who may order.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::common::Common;
use super::fleetwide::Fleetwide;
use super::live::Live;
use super::purge;
use super::reload::Reloads;
use crate::admin::orders::{CircuitOrder, Order, OrderError, Outcome, Wish};
use crate::breaker::ForceError;
use crate::limiter::settings::{KeySettings, PolicySettings};
use crate::policy::circuit::Hold;
use crate::policy::ids::{BucketId, ClientId, UpstreamName};
use crate::store::{Directive, Event, Store, StoreError};

/// How long until a channel that broke is opened again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Hears what operators ordered through any replica: buckets that were reset, and what concerns replicas.
pub(super) async fn hear_orders(common: &Common, store: &Store, reloads: &Reloads) {
    let all = Fleetwide { common, reloads };
    let mut has_listened = false;
    loop {
        if let Ok(mut events) = store.subscribe().await {
            if std::mem::replace(&mut has_listened, true) {
                // Something may have been said while nobody listened.
                common.limiter.forget_all();
            }
            while let Some(event) = events.next().await {
                match event {
                    Event::BucketForgotten { policy, client } => {
                        common.limiter.forget(&policy, &client);
                    }
                    Event::Order { .. } => all.heard(event),
                    // The breaker's and the cache's own.
                    Event::Circuit { .. }
                    | Event::TagPurged { .. }
                    | Event::TargetPurged { .. } => {}
                }
            }
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// Carries out orders, one after another, for ever.
pub(super) async fn carry_out(
    live: &Live,
    store: &Store,
    reloads: &Reloads,
    mut wishes: mpsc::Receiver<Wish>,
) {
    while let Some((order, answer)) = wishes.recv().await {
        let outcome = one(&live.get(), store, reloads, order).await;
        // An operator who has left hears nothing, and finds it in the audit.
        let _ = answer.send(outcome);
    }
    std::future::pending().await
}

async fn one(common: &Common, store: &Store, reloads: &Reloads, order: Order) -> Outcome {
    let all = Fleetwide { common, reloads };
    match order {
        Order::Inspect { policy, client } => inspect(common, store, &policy, &client).await,
        Order::Refill { policy, client } => refill(common, store, &policy, &client).await,
        Order::Circuit {
            upstream,
            to,
            by,
            reason,
        } => circuit(common, store, &upstream.as_str().into(), to, &by, &reason).await,
        Order::Purge(what) => purge::purge(common, store, &what).await,
        Order::LogLevel { level, of } => all.give(store, Directive::LogLevel(level), of).await,
        Order::Reload { of } => all.give(store, Directive::Reload, of).await,
        Order::Drain { of } => all.give(store, Directive::Drain, of).await,
        Order::Undrain { of } => all.give(store, Directive::Undrain, of).await,
    }
}

async fn inspect(common: &Common, store: &Store, policy: &str, client: &str) -> Outcome {
    let settings = policy_of(common, policy)?;
    let bucket = bucket(common, settings, client);
    let taken = store
        .inspect(&bucket, &settings.spec)
        .await
        .map_err(unavailable)?;
    Ok(json!({
        "policy": policy,
        "client": bucket.client.to_string(),
        "algorithm": settings.spec.algorithm(),
        "capacity": settings.spec.capacity(),
        "remaining": taken.remaining,
        "full_after_ms": taken.full_after.get() / 1_000,
    }))
}

async fn refill(common: &Common, store: &Store, policy: &str, client: &str) -> Outcome {
    let settings = policy_of(common, policy)?;
    let bucket = bucket(common, settings, client);
    store.forget(&bucket).await.map_err(unavailable)?;
    // Also heard through the store, but here it need not wait for that.
    common
        .limiter
        .forget(&bucket.policy, &bucket.client.to_string());
    Ok(json!({ "policy": policy, "client": bucket.client.to_string(), "reset": true }))
}

async fn circuit(
    common: &Common,
    store: &Store,
    upstream: &UpstreamName,
    to: CircuitOrder,
    by: &str,
    reason: &str,
) -> Outcome {
    let breaker = &common.breaker;
    let view = match to {
        CircuitOrder::Open => breaker.force(store, upstream, Hold::Open, by, reason).await,
        CircuitOrder::Closed => {
            breaker
                .force(store, upstream, Hold::Closed, by, reason)
                .await
        }
        CircuitOrder::Reset => breaker.reset(store, upstream, by, reason).await,
    };
    let view = view.map_err(|error| match error {
        ForceError::UnknownUpstream => {
            OrderError::NotFound(format!("there is no upstream `{upstream}`"))
        }
        ForceError::Store(error) => unavailable(error),
    })?;
    Ok(json!({ "upstream": upstream.as_str(), "state": view.state.label(), "epoch": view.epoch }))
}

fn policy_of<'a>(common: &'a Common, name: &str) -> Result<&'a PolicySettings, OrderError> {
    let found = common
        .config
        .limits
        .iter()
        .find(|one| one.name.as_str() == name);
    found.ok_or_else(|| OrderError::NotFound(format!("there is no limit `{name}`")))
}

/// Whose bucket a text means: everybody's, an address', or a network's as it is shown.
fn bucket(common: &Common, settings: &PolicySettings, client: &str) -> BucketId {
    let (address, prefix) = client.split_once('/').unwrap_or((client, ""));
    let own_prefix = common.config.proxy.identity.ipv6_prefix;
    let prefix = prefix.parse().unwrap_or(own_prefix);
    let client = match (&settings.key, address.parse::<IpAddr>()) {
        (KeySettings::Global, _) => ClientId::Text("*".into()),
        (KeySettings::Client, Ok(address)) => ClientId::from_address(address, prefix),
        (KeySettings::Client, Err(_)) | (KeySettings::Parts(_), _) => ClientId::Text(client.into()),
    };
    BucketId {
        policy: settings.name.clone(),
        client,
    }
}

pub(super) fn unavailable(error: StoreError) -> OrderError {
    OrderError::Unavailable(format!("the store: {error}"))
}
