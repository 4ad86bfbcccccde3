//! The shared store in every arrangement and every kind of trouble we promise to handle, with real servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support {
    pub(crate) mod redis;
}

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway::policy::concurrency::{SlotId, SlotsSpec};
use gateway::policy::ids::{BucketId, ClientId};
use gateway::policy::token_bucket::{Ask, BucketSpec};
use gateway::policy::units::Micros;
use gateway::policy::window::{Batch, Counting, WindowSpec};
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Health, Store, StoreError, health, op};
use support::redis::{Certificates, Cluster, Server, Watched, eventually, free_port};
use tokio::time::Instant;

/// A handle whose deadline a busy machine keeps, while a test that waits for it is not long.
const DEADLINE: Duration = Duration::from_millis(250);

fn settings() -> Settings {
    Settings {
        timeout: DEADLINE,
        ..Settings::default()
    }
}

fn open_with(url: &str, settings: &Settings) -> (Store, Arc<Health>) {
    let health = Arc::new(Health::new(settings.failures));
    let url = StoreUrl::parse(url).unwrap();
    let store = Store::redis(&url, settings, Arc::clone(&health), op::unobserved()).unwrap();
    (store, health)
}

fn open(url: &str) -> Store {
    open_with(url, &settings()).0
}

fn watched(url: &str) -> Store {
    let (store, health) = open_with(url, &settings());
    let probing = store.clone();
    tokio::spawn(async move { health::watch(probing, &health).await });
    store
}

fn bucket(client: &str) -> BucketId {
    BucketId {
        policy: "p".into(),
        client: ClientId::Text(client.into()),
    }
}

async fn take(store: &Store, client: &str) -> Result<u64, StoreError> {
    let spec = BucketSpec::new(100_000, "1/1m".parse().unwrap()).unwrap();
    let taken = store.take(&bucket(client), &spec, Ask::exactly(1)).await?;
    Ok(taken.granted)
}

async fn works(store: &Store) {
    eventually("the store decides", async || {
        take(store, "works").await == Ok(1)
    })
    .await;
}

#[tokio::test]
async fn a_flushed_script_costs_no_failure() {
    let server = Server::start().await;
    let (store, health) = open_with(&server.url(), &settings());
    works(&store).await;
    let changes = health.changes();
    for _ in 0..5 {
        let _: String = server.run(&["SCRIPT", "FLUSH"]).await.unwrap();
        assert_eq!(take(&store, "a").await, Ok(1));
    }
    assert!(store.is_up());
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test]
async fn a_killed_server_is_found_out_quickly_and_found_again() {
    let mut server = Server::start().await;
    let store = watched(&server.url());
    works(&store).await;
    server.kill();
    for _ in 0..settings().failures {
        assert!(take(&store, "a").await.is_err());
    }
    assert!(!store.is_up());
    assert_eq!(take(&store, "a").await, Err(StoreError::Down));
    server.restart();
    eventually("the store is found again", async || store.is_up()).await;
    works(&store).await;
}

#[tokio::test]
async fn every_call_that_was_made_is_observed() {
    let mut server = Server::start().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listening = Arc::clone(&heard);
    let observer: op::Observer = Arc::new(move |op, result, _took| {
        listening.lock().unwrap().push((op.label(), result));
    });
    let health = Arc::new(Health::new(1));
    let url = StoreUrl::parse(&server.url()).unwrap();
    let store = Store::redis(&url, &settings(), health, observer).unwrap();
    take(&store, "a").await.unwrap();
    store.ping().await.unwrap();
    server.kill();
    let lost = take(&store, "a").await.unwrap_err();
    assert_eq!(take(&store, "a").await, Err(StoreError::Down));
    let expected = [("take", "ok"), ("ping", "ok"), ("take", lost.label())];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_hanging_server_costs_one_deadline_a_call_and_then_nothing() {
    let server = Server::start().await;
    let store = watched(&server.url());
    works(&store).await;
    server.freeze();
    for _ in 0..settings().failures {
        let begun = Instant::now();
        assert_eq!(take(&store, "a").await, Err(StoreError::Timeout));
        assert!(begun.elapsed() >= DEADLINE);
        assert!(begun.elapsed() < DEADLINE * 3, "{:?}", begun.elapsed());
    }
    let begun = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(take(&store, "a").await, Err(StoreError::Down));
    }
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    server.thaw();
    eventually("the store is found again", async || store.is_up()).await;
    works(&store).await;
}

#[tokio::test]
async fn too_many_calls_at_once_are_refused_at_once() {
    let server = Server::start().await;
    let store = open(&server.url());
    works(&store).await;
    server.freeze();
    let calls: Vec<_> = (0..1_100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { take(&store, "a").await })
        })
        .collect();
    let mut overloaded = 0;
    for call in calls {
        match call.await.unwrap() {
            Err(StoreError::Overloaded) => overloaded += 1,
            other => assert!(other.is_err()),
        }
    }
    assert!(overloaded >= 1_100 - 1_024, "{overloaded}");
    server.thaw();
}

#[tokio::test]
async fn a_gateway_starts_before_its_store() {
    let port = free_port();
    let store = watched(&format!("redis://127.0.0.1:{port}"));
    assert!(matches!(
        take(&store, "a").await,
        Err(StoreError::Unreachable | StoreError::Timeout)
    ));
    let _server = Server::spawn(port, &[]);
    works(&store).await;
}

#[tokio::test]
async fn a_user_with_our_keys_and_commands_alone() {
    let server = Server::start().await;
    let may = "on >s3cr:t ~api-gateway:v1:* &api-gateway:v1:* +evalsha +eval +get +set +del +time \
               +pttl +pexpire +zadd +zcard +zcount +zrem +zrangebyscore +zrevrangebyscore \
               +zremrangebyscore +publish +subscribe +ping";
    let words: Vec<&str> = ["ACL", "SETUSER", "gateway"]
        .into_iter()
        .chain(may.split_whitespace())
        .collect();
    let _: String = server.run(&words).await.unwrap();
    let store = open(&format!(
        "redis://gateway:s3cr%3At@127.0.0.1:{}",
        server.port()
    ));
    works(&store).await;
    every_algorithm_works(&store).await;
    store.ping().await.unwrap();
    store.forget(&bucket("a")).await.unwrap();
    store.subscribe().await.map(|_| ()).unwrap();
    let other = Settings {
        prefix: "elsewhere".to_owned(),
        ..settings()
    };
    let url = format!("redis://gateway:s3cr%3At@127.0.0.1:{}", server.port());
    let (elsewhere, _) = open_with(&url, &other);
    assert_eq!(take(&elsewhere, "a").await, Err(StoreError::NoPermission));
}

/// Every command of every script, on one key each.
async fn every_algorithm_works(store: &Store) {
    let id = bucket("all");
    let minute = Micros::from_secs(60);
    for counting in [Counting::Fixed, Counting::Sliding, Counting::Log] {
        let spec = WindowSpec::new(counting, 1, minute).unwrap();
        let taken = store.count(&id, &spec, Batch::one(1)).await.unwrap();
        let denied = store.count(&id, &spec, Batch::one(1)).await.unwrap();
        assert_eq!((taken.granted, denied.granted), (1, 0), "{counting:?}");
        store.uncount(&id, &spec, 1, taken.at).await.unwrap();
    }
    let spec = SlotsSpec::new(1, minute).unwrap();
    let slot = SlotId {
        holder: 1,
        first: 1,
    };
    let taken = store.acquire(&id, &spec, slot, Batch::one(1)).await;
    assert_eq!(taken.unwrap().granted, 1);
    let denied = store.acquire(&id, &spec, slot, Batch::one(1)).await;
    assert_eq!(denied.unwrap().granted, 0);
    assert_eq!(store.renew(&id, &spec, slot, 1).await, Ok(1));
    assert_eq!(store.release(&id, &spec, slot, 1).await, Ok(1));
    store.forget(&id).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_called_that() {
    let server = Server::start_with(&["--requirepass", "right"]).await;
    let with =
        |credentials: &str| open(&format!("redis://{credentials}127.0.0.1:{}", server.port()));
    assert_eq!(
        take(&with(":wrong@"), "a").await,
        Err(StoreError::WrongPassword)
    );
    assert_eq!(take(&with(""), "a").await, Err(StoreError::NoPassword));
    works(&with(":right@")).await;
}

#[tokio::test]
async fn a_unix_socket() {
    let server = Server::start_with(&["--unixsocket", "redis.sock"]).await;
    let path = server.dir().join("redis.sock");
    works(&open(&format!("unix://{}", path.display()))).await;
    works(&open(&format!("redis+unix://{}", path.display()))).await;
}

#[tokio::test]
async fn tls_with_an_authority_of_our_own_and_no_other() {
    let certificates = Certificates::make();
    let path = |name: &str| certificates.file(name).display().to_string();
    let port = free_port();
    let server = Server::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &path("cert.pem"),
        "--tls-key-file",
        &path("key.pem"),
        "--tls-ca-cert-file",
        &path("ca.pem"),
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{port}");
    let trusting = Settings {
        ca_file: Some(certificates.file("ca.pem")),
        ..settings()
    };
    let (store, _health) = open_with(&url, &trusting);
    works(&store).await;
    store.subscribe().await.map(|_| ()).unwrap();
    let strangers = open(&url);
    assert!(take(&strangers, "a").await.is_err());
    drop(server);
}

#[tokio::test]
async fn a_master_that_became_a_replica_is_left() {
    let (one, two) = (Server::start().await, Server::start().await);
    let store = open(&one.url());
    works(&store).await;
    let follow = ["REPLICAOF", "127.0.0.1", &two.port().to_string()];
    let _: String = one.run(&follow).await.unwrap();
    let refused = take(&store, "a").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::ReadOnly | StoreError::Loading),
        "{refused}"
    );
    assert!(refused.is_outage());
    let _: String = one.run(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    works(&store).await;
}

#[tokio::test]
async fn a_channel_that_broke_ends() {
    let mut server = Server::start().await;
    let store = open(&server.url());
    let mut events = store.subscribe().await.unwrap();
    server.freeze();
    assert_eq!(events.next().await, None, "silence is noticed");
    server.thaw();
    server.answers().await;
    let mut events = store.subscribe().await.unwrap();
    server.kill();
    assert_eq!(events.next().await, None);
    assert!(store.subscribe().await.is_err());
}

#[tokio::test]
async fn a_cluster_serves_while_a_slot_moves() {
    let cluster = Cluster::start().await;
    let store = watched(&cluster.url());
    for client in 0..30 {
        let client = format!("client-{client}");
        eventually("every node decides", async || {
            take(&store, &client).await == Ok(1)
        })
        .await;
    }
    every_algorithm_works(&store).await;
    let mut events = store.subscribe().await.unwrap();
    store.forget(&bucket("a")).await.unwrap();
    assert!(events.next().await.is_some());

    let key = "api-gateway:v1:limit:{p:mover}";
    assert_eq!(take(&store, "mover").await, Ok(1));
    let (from, slot) = cluster.owner(key).await;
    let to = (from + 1) % cluster.nodes.len();
    let slot = slot.to_string();
    let (from_id, to_id) = (cluster.id(from).await, cluster.id(to).await);
    let (source, target) = (&cluster.nodes[from], &cluster.nodes[to]);
    let set = ["CLUSTER", "SETSLOT", &slot];
    let run = async |node: &Server, words: &[&str]| {
        let _: redis::Value = node.run(words).await.unwrap();
    };
    run(target, &[&set[..], &["IMPORTING", &from_id]].concat()).await;
    run(source, &[&set[..], &["MIGRATING", &to_id]].concat()).await;
    assert_eq!(take(&store, "mover").await, Ok(1), "still here");
    let port = target.port().to_string();
    run(source, &["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]).await;
    assert_eq!(take(&store, "mover").await, Ok(1), "asked of the target");
    for node in [target, source] {
        run(node, &[&set[..], &["NODE", &to_id]].concat()).await;
    }
    assert_eq!(take(&store, "mover").await, Ok(1), "moved");
    let spec = BucketSpec::new(100_000, "1/1m".parse().unwrap()).unwrap();
    let left = store
        .inspect(&bucket("mover"), &spec.into())
        .await
        .unwrap()
        .remaining;
    assert_eq!(left, 100_000 - 4, "one bucket all the way");
}

#[tokio::test]
async fn sentinels_name_the_new_master() {
    let mut watched_servers = Watched::start().await;
    let store = watched(&watched_servers.url());
    works(&store).await;
    let mut events = store.subscribe().await.unwrap();
    watched_servers.master.kill();
    assert!(take(&store, "a").await.is_err());
    assert_eq!(events.next().await, None);
    let replica = &watched_servers.replica;
    eventually("the replica is promoted", async || {
        let role: redis::RedisResult<redis::Value> = replica.run(&["ROLE"]).await;
        role.is_ok_and(|role| format!("{role:?}").contains("master"))
    })
    .await;
    works(&store).await;
    assert!(store.is_up());
    let mut events = store.subscribe().await.unwrap();
    store.forget(&bucket("a")).await.unwrap();
    assert!(events.next().await.is_some());
    let kept: Option<String> = replica
        .run(&["GET", "api-gateway:v1:limit:{p:works}"])
        .await
        .unwrap();
    assert!(kept.is_some(), "decided by the new master");
}
