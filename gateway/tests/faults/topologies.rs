//! What Sentinel and Cluster do to their clients, done under load.

use std::time::Duration;

use gateway::policy::ids::{BucketId, ClientId};
use gateway::policy::token_bucket::BucketSpec;
use gateway::store::settings::{Settings as StoreSettings, StoreUrl};
use gateway::store::{Health, Store, op};
use redis::RedisResult;
use upstream_mock::{Mock, Settings};

use super::load::{Limit, Load, exposes, gateways, store_is};
use crate::support::redis::{Cluster, Server, Watched, eventually};

const LIMIT: Limit = Limit {
    capacity: 100,
    per_second: 50,
};

#[tokio::test]
async fn a_failover_under_load() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let mut servers = Watched::start().await;
    let replicas = gateways(2, &mock.url(), &servers.url(), &LIMIT.variables()).await;
    let load = Load::on(&replicas);
    load.admits(110).await;
    servers.master.kill();
    store_is(false, &replicas).await;
    load.admits(50).await;
    let replica = &servers.replica;
    eventually("the replica is promoted", async || {
        let role: RedisResult<redis::Value> = replica.run(&["ROLE"]).await;
        role.is_ok_and(|role| format!("{role:?}").contains("master"))
    })
    .await;
    store_is(true, &replicas).await;
    load.admits(50).await;
    let seen = load.stop().await;
    seen.assert_no_error();
    assert_eq!(seen.broken, 0);
    // Replication is asynchronous: what the old master had not passed on yet is at most one bucket.
    let bound = LIMIT.bound_with_outage(seen.took) + f64::from(LIMIT.capacity);
    assert!(seen.admitted() as f64 <= bound, "{seen:?}: {bound}");
    let kept: Option<String> = replica.run(&["GET", KEY]).await.unwrap();
    assert!(kept.is_some(), "decided by the new master");
}

/// The bucket of the one client there is.
const KEY: &str = "api-gateway:v1:limit:{per-client:127.0.0.1}";
const CAPACITY: u64 = 1_000_000;

/// Exact, and with patience: what counts here is that no debit is lost or made twice.
fn exact() -> [(&'static str, String); 5] {
    [
        ("RATE_LIMIT_CAPACITY", CAPACITY.to_string()),
        ("RATE_LIMIT_REFILL_RATE", "1".to_owned()),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "3600".to_owned()),
        ("GATEWAY__LIMITS__PER_CLIENT__LEASES", "false".to_owned()),
        ("GATEWAY__STORE__TIMEOUT", "2s".to_owned()),
    ]
}

#[tokio::test]
async fn a_slot_moves_back_and_forth_under_load() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let cluster = Cluster::start().await;
    let replicas = gateways(2, &mock.url(), &cluster.url(), &exact()).await;
    let load = Load::on(&replicas);
    load.admits(50).await;
    let (mut from, slot) = cluster.owner(KEY).await;
    for _ in 0..4 {
        let to = (from + 1) % cluster.nodes.len();
        migrate(&cluster, slot, from, to, &load).await;
        from = to;
    }
    let seen = load.stop().await;
    assert_eq!(
        seen.statuses.keys().copied().collect::<Vec<_>>(),
        [200],
        "{seen:?}"
    );
    for gateway in &replicas {
        let degraded = r#"gateway_rate_limit_decisions_total{policy="per-client",decision="degraded_granted"} 0"#;
        assert!(
            exposes(gateway, degraded).await,
            "the store decided everything"
        );
    }
    assert_eq!(
        remaining(&cluster).await,
        CAPACITY - seen.admitted(),
        "one bucket all the way"
    );
}

/// Moves a slot the way `redis-cli --cluster reshard` does, while requests go on at each stage.
async fn migrate(cluster: &Cluster, slot: u16, from: usize, to: usize, load: &Load) {
    let slot = slot.to_string();
    let (from_id, to_id) = (cluster.id(from).await, cluster.id(to).await);
    let (source, target) = (&cluster.nodes[from], &cluster.nodes[to]);
    let set = ["CLUSTER", "SETSLOT", &slot];
    let run = async |node: &Server, words: &[&str]| {
        let _: redis::Value = node.run(words).await.unwrap();
    };
    run(target, &[&set[..], &["IMPORTING", &from_id]].concat()).await;
    run(source, &[&set[..], &["MIGRATING", &to_id]].concat()).await;
    load.admits(20).await;
    let port = target.port().to_string();
    run(source, &["MIGRATE", "127.0.0.1", &port, KEY, "0", "5000"]).await;
    load.admits(20).await;
    for node in [target, source] {
        run(node, &[&set[..], &["NODE", &to_id]].concat()).await;
    }
    load.admits(20).await;
}

async fn remaining(cluster: &Cluster) -> u64 {
    let settings = StoreSettings {
        timeout: Duration::from_secs(5),
        ..StoreSettings::default()
    };
    let url = StoreUrl::parse(&cluster.url()).unwrap();
    let store = Store::redis(&url, &settings, Health::new(3).into(), op::unobserved()).unwrap();
    let bucket = BucketId {
        policy: "per-client".into(),
        client: ClientId::V4(std::net::Ipv4Addr::LOCALHOST),
    };
    let spec = BucketSpec::new(CAPACITY, "1/1h".parse().unwrap()).unwrap();
    store
        .inspect(&bucket, &spec.into())
        .await
        .unwrap()
        .remaining
}
