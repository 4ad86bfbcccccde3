//! Kept answers that an operator orders away, in the whole fleet.
//!
//! Guarantees: what is here is gone whatever the store says; an order that not every replica can have heard of is reported as such, and
//! told again until they have. Must not: decide who may order.

use http::Uri;
use serde_json::json;

use super::common::Common;
use super::operate::unavailable;
use crate::admin::orders::{OrderError, Outcome, Purge};
use crate::policy::cacheability::{KeySpec, Target};
use crate::store::Store;

/// Carries an order out.
pub(super) async fn purge(common: &Common, store: &Store, what: &Purge) -> Outcome {
    let shared = common.shares_answers().then_some(store);
    match what {
        Purge::Route(name) => named(common, shared, &format!("route:{name}")).await,
        Purge::Tag(name) => named(common, shared, &format!("tag:{name}")).await,
        Purge::Url(url) => target(common, shared, url).await,
    }
}

async fn named(common: &Common, store: Option<&Store>, name: &str) -> Outcome {
    let tag = common.cache.tag(name);
    let tag =
        tag.ok_or_else(|| OrderError::NotFound(format!("no route keeps anything under `{name}`")))?;
    let told = common.cache.purge_tag(store, tag).await;
    told.map_err(unavailable)?;
    Ok(json!({ "purged": name }))
}

/// A URL may be kept under several keys, by how its route makes them.
async fn target(common: &Common, store: Option<&Store>, url: &str) -> Outcome {
    let invalid = || OrderError::Invalid("a URL is `http://HOST/PATH`, with its query".to_owned());
    let uri: Uri = url.parse().map_err(|_| invalid())?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.authority()) else {
        return Err(invalid());
    };
    let target = Target {
        scheme,
        host: host.as_str(),
        path: uri.path(),
        query: uri.query(),
    };
    let routes = common.config.proxy.routes.iter();
    let mut keys: Vec<&KeySpec> = routes
        .filter_map(|route| Some(&route.cache.as_ref()?.key))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let mut told = Ok(());
    for spec in keys {
        told = common
            .cache
            .purge_target(store, &spec.key(&target))
            .await
            .and(told);
    }
    told.map_err(unavailable)?;
    Ok(json!({ "purged": url }))
}
