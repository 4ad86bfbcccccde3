//! Redis killed, restarted empty, and hung: the three ways to lose it.

use std::time::Duration;

use upstream_mock::{Mock, Settings};

use super::load::{Limit, Load, gateways, store_is};
use crate::support::redis::Server;

const LIMIT: Limit = Limit {
    capacity: 100,
    per_second: 50,
};

/// Longer than this nobody waits for a store that hangs: a hundred times its deadline, for machines that are busy.
const LONG: Duration = Duration::from_secs(2);

fn with(on_store_failure: &str) -> Vec<(&'static str, String)> {
    let mut variables = LIMIT.variables();
    let name = "GATEWAY__LIMITS__PER_CLIENT__ON_STORE_FAILURE";
    variables.push((name, on_store_failure.to_owned()));
    variables
}

#[tokio::test]
async fn killed_and_restarted_empty() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let mut redis = Server::start().await;
    let replicas = gateways(3, &mock.url(), &redis.url(), &with("degrade")).await;
    let load = Load::on(&replicas);
    load.admits(110).await;
    redis.kill();
    store_is(false, &replicas).await;
    load.admits(60).await;
    redis.restart();
    store_is(true, &replicas).await;
    load.admits(110).await;
    let seen = load.stop().await;
    seen.assert_no_error();
    assert_eq!(seen.broken, 0);
    // What Redis itself lost is one bucket more.
    let bound = LIMIT.bound_with_outage(seen.took) + f64::from(LIMIT.capacity);
    assert!(seen.admitted() as f64 <= bound, "{seen:?}: {bound}");
}

#[tokio::test]
async fn hung_under_load_with_local_buckets_standing_in() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let replicas = gateways(3, &mock.url(), &redis.url(), &with("degrade")).await;
    let load = Load::on(&replicas);
    load.admits(110).await;
    redis.freeze();
    store_is(false, &replicas).await;
    load.admits(60).await;
    redis.thaw();
    store_is(true, &replicas).await;
    load.admits(50).await;
    let seen = load.stop().await;
    seen.assert_no_error();
    assert_eq!(seen.broken, 0);
    assert!(seen.longest < LONG, "{seen:?}");
    let bound = LIMIT.bound_with_outage(seen.took);
    assert!(seen.admitted() as f64 <= bound, "{seen:?}: {bound}");
}

#[tokio::test]
async fn hung_under_load_with_a_limit_that_rather_denies() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let replicas = gateways(3, &mock.url(), &redis.url(), &with("deny")).await;
    let load = Load::on(&replicas);
    load.admits(110).await;
    for _ in 0..2 {
        redis.freeze();
        store_is(false, &replicas).await;
        redis.thaw();
        store_is(true, &replicas).await;
        load.admits(20).await;
    }
    let seen = load.stop().await;
    seen.assert_no_error();
    assert!(seen.longest < LONG, "{seen:?}");
    // Nothing stands in, nothing was lost: the one bucket, over the whole time.
    let bound = LIMIT.bound(seen.took);
    assert!(seen.admitted() as f64 <= bound, "{seen:?}: {bound}");
}
