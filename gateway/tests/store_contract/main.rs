//! What every store promises: one suite, run over the embedded store and over a real Redis.
//!
//! The embedded store runs on paused time, so its waits cost nothing; Redis keeps its own time and really waits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod limits;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use gateway::policy::ids::{BucketId, ClientId, MAX_TEXT, ReplicaId};
use gateway::policy::token_bucket::{Ask, BucketSpec};
use gateway::policy::units::Micros;
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Event, Health, KeyRecord, Store, op};
use limits::{
    a_limit_whose_algorithm_changed_begins_anew, a_slot_is_held_while_it_is_renewed_and_no_longer,
    any_forgotten_limit_is_new_and_everybody_hears, every_limit_is_one_for_all_who_share_it,
    every_retry_after_is_true, looking_at_any_limit_changes_nothing,
    nobody_gives_back_what_was_never_taken, requests_of_several_tokens_are_granted_whole,
    what_went_nowhere_is_not_counted,
};
use support::redis::{Server, eventually};
use tokio::time::sleep;

/// A store and a second handle on it, as another replica would have.
struct World {
    store: Store,
    other: Store,
    server: Option<Server>,
}

fn embedded() -> World {
    let store = Store::memory(10_000);
    World {
        other: store.clone(),
        store,
        server: None,
    }
}

async fn shared() -> World {
    let server = Server::start().await;
    let url = StoreUrl::parse(&server.url()).unwrap();
    let settings = Settings {
        // A decision takes well under a millisecond; a busy machine may still make it wait for its turn.
        timeout: Duration::from_secs(5),
        ..Settings::default()
    };
    let open = || {
        let health = Arc::new(Health::new(settings.failures));
        Store::redis(&url, &settings, health, op::unobserved()).unwrap()
    };
    World {
        store: open(),
        other: open(),
        server: Some(server),
    }
}

macro_rules! contract {
    ($($promise:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(start_paused = true)]
            async fn $promise() {
                super::$promise(&super::embedded()).await;
            })*
        }
        mod shared {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(&super::shared().await).await;
            })*
        }
    };
}

contract![
    an_unknown_bucket_is_full_and_then_empty,
    retry_after_is_true,
    what_is_held_ahead_shrinks,
    tokens_come_back_only_in_time,
    looking_changes_nothing,
    a_forgotten_bucket_is_full_and_everybody_hears,
    buckets_do_not_touch,
    any_text_is_a_client,
    the_fleet_is_counted,
    what_replicas_say_of_themselves_is_read_by_all,
    events_reach_every_listener,
    a_ping_is_answered,
    an_api_key_is_known_by_its_hash_until_it_is_withdrawn,
    every_limit_is_one_for_all_who_share_it,
    requests_of_several_tokens_are_granted_whole,
    every_retry_after_is_true,
    what_went_nowhere_is_not_counted,
    nobody_gives_back_what_was_never_taken,
    looking_at_any_limit_changes_nothing,
    any_forgotten_limit_is_new_and_everybody_hears,
    a_limit_whose_algorithm_changed_begins_anew,
    a_slot_is_held_while_it_is_renewed_and_no_longer,
];

async fn an_api_key_is_known_by_its_hash_until_it_is_withdrawn(world: &World) {
    let (hash, other) = ([7; 32], [8; 32]);
    assert_eq!(world.store.recognise(&hash).await, Ok(None));
    let full = KeyRecord {
        id: "alice".to_owned(),
        plan: Some("pro".to_owned()),
        expires: Some(4_000_000_000),
    };
    let bare = KeyRecord {
        id: "bob".to_owned(),
        plan: None,
        expires: None,
    };
    world.store.enroll(&hash, &full).await.unwrap();
    assert_eq!(world.other.recognise(&hash).await, Ok(Some(full)));
    assert_eq!(world.other.recognise(&other).await, Ok(None));
    world.store.enroll(&hash, &bare).await.unwrap();
    assert_eq!(world.other.recognise(&hash).await, Ok(Some(bare)));
    assert_eq!(world.other.revoke(&hash).await, Ok(true));
    assert_eq!(world.store.recognise(&hash).await, Ok(None));
    assert_eq!(world.store.revoke(&hash).await, Ok(false));
}

fn bucket(client: &str) -> BucketId {
    BucketId {
        policy: "per-client".into(),
        client: ClientId::Text(client.into()),
    }
}

fn spec(capacity: u64, rate: &str) -> BucketSpec {
    BucketSpec::new(capacity, rate.parse().unwrap()).unwrap()
}

async fn an_unknown_bucket_is_full_and_then_empty(world: &World) {
    let (id, spec) = (bucket("a"), spec(100, "10/1h"));
    let first = world
        .store
        .take(&id, &spec, Ask::exactly(30))
        .await
        .unwrap();
    assert_eq!((first.granted, first.remaining), (30, 70));
    assert_eq!(first.retry_after, Micros::ZERO);
    let rest = world
        .other
        .take(&id, &spec, Ask::exactly(90))
        .await
        .unwrap();
    assert_eq!((rest.granted, rest.remaining), (70, 0));
    assert!(
        rest.retry_after > Micros::from_secs(300) && rest.retry_after <= Micros::from_secs(360)
    );
    assert!(rest.full_after <= spec.time_to_full());
    assert!(rest.at >= first.at);
    let none = world.store.take(&id, &spec, Ask::exactly(1)).await.unwrap();
    assert_eq!((none.granted, none.remaining), (0, 0));
}

async fn retry_after_is_true(world: &World) {
    let (id, spec) = (bucket("a"), spec(2, "4/s"));
    world.store.take(&id, &spec, Ask::exactly(2)).await.unwrap();
    let denied = world.store.take(&id, &spec, Ask::exactly(1)).await.unwrap();
    if denied.granted == 0 {
        assert!(denied.retry_after <= Micros::from_millis(250));
        // A timer's millisecond may begin before the store's microsecond.
        sleep(denied.retry_after.to_duration() + Duration::from_millis(2)).await;
        let granted = world.store.take(&id, &spec, Ask::exactly(1)).await.unwrap();
        assert_eq!(granted.granted, 1);
    }
}

async fn what_is_held_ahead_shrinks(world: &World) {
    let (id, spec) = (bucket("a"), spec(100, "1/1h"));
    let greedy = Ask {
        need: 1,
        spare: 1_000,
        share: 4,
    };
    let mut grants = Vec::new();
    for _ in 0..20 {
        grants.push(world.store.take(&id, &spec, greedy).await.unwrap().granted);
    }
    assert_eq!(&grants[..3], &[25, 19, 14]);
    assert_eq!(grants.iter().sum::<u64>(), 100);
}

async fn tokens_come_back_only_in_time(world: &World) {
    let (id, spec) = (bucket("a"), spec(10, "1/1h"));
    let taken = world
        .store
        .take(&id, &spec, Ask::exactly(10))
        .await
        .unwrap();
    let long = Micros::from_secs(60);
    let returned = world.other.give_back(&id, &spec, 4, taken.at, long).await;
    assert_eq!(returned, Ok(true));
    let again = world
        .store
        .take(&id, &spec, Ask::exactly(10))
        .await
        .unwrap();
    assert_eq!(again.granted, 4);
    sleep(Duration::from_millis(3)).await;
    let short = Micros::from_millis(1);
    let returned = world.store.give_back(&id, &spec, 4, taken.at, short).await;
    assert_eq!(returned, Ok(false));
    let looked = world.store.inspect(&id, &spec.into()).await.unwrap();
    assert_eq!(looked.remaining, 0);
    let full = bucket("never seen");
    let returned = world.store.give_back(&full, &spec, 1, taken.at, long).await;
    assert_eq!(returned, Ok(false));
}

async fn looking_changes_nothing(world: &World) {
    let (id, spec) = (bucket("a"), spec(10, "1/1h"));
    let unknown = world.store.inspect(&id, &spec.into()).await.unwrap();
    assert_eq!((unknown.granted, unknown.remaining), (0, 10));
    world.store.take(&id, &spec, Ask::exactly(3)).await.unwrap();
    for _ in 0..3 {
        let looked = world.other.inspect(&id, &spec.into()).await.unwrap();
        assert_eq!((looked.granted, looked.remaining), (0, 7));
        assert_eq!(looked.retry_after, Micros::ZERO);
    }
}

async fn a_forgotten_bucket_is_full_and_everybody_hears(world: &World) {
    let (id, spec) = (bucket("a"), spec(10, "1/1h"));
    let mut events = world.other.subscribe().await.unwrap();
    world
        .store
        .take(&id, &spec, Ask::exactly(10))
        .await
        .unwrap();
    world.store.forget(&id).await.unwrap();
    let heard = Event::BucketForgotten {
        policy: "per-client".into(),
        client: "a".to_owned(),
    };
    assert_eq!(events.next().await, Some(heard));
    let taken = world
        .store
        .take(&id, &spec, Ask::exactly(10))
        .await
        .unwrap();
    assert_eq!(taken.granted, 10);
}

async fn buckets_do_not_touch(world: &World) {
    let spec = spec(5, "1/1h");
    let mut ids: Vec<BucketId> = (0..50).map(|client| bucket(&client.to_string())).collect();
    ids.push(BucketId {
        policy: "another".into(),
        ..bucket("0")
    });
    for id in &ids {
        let taken = world.store.take(id, &spec, Ask::exactly(9)).await.unwrap();
        assert_eq!(taken.granted, 5, "{id}");
    }
}

async fn any_text_is_a_client(world: &World) {
    let spec = spec(5, "1/1h");
    let mut clients = vec![
        bucket(""),
        bucket("日本語 ünï 🦀"),
        bucket("{}"),
        bucket("}{a"),
        bucket("a b\r\nSET x 1"),
        bucket("\0"),
        bucket(&"x".repeat(MAX_TEXT)),
        bucket(&"x".repeat(100_000)),
    ];
    for address in ["192.0.2.7", "2001:db8::1"] {
        clients.push(BucketId {
            policy: "per-client".into(),
            client: ClientId::from_address(address.parse().unwrap(), 64),
        });
    }
    for id in &clients {
        let taken = world.store.take(id, &spec, Ask::exactly(4)).await.unwrap();
        assert_eq!(taken.granted, 4, "{id}");
        let taken = world.other.take(id, &spec, Ask::exactly(4)).await.unwrap();
        assert_eq!(taken.granted, 1, "{id}");
    }
}

async fn the_fleet_is_counted(world: &World) {
    let (a, b) = (ReplicaId::from("a"), ReplicaId::from("b"));
    let (short, long) = (Micros::from_millis(50), Micros::from_secs(60));
    assert_eq!(world.store.heartbeat(&a, long).await.unwrap().live, 1);
    assert_eq!(world.other.heartbeat(&b, long).await.unwrap().live, 2);
    assert_eq!(world.store.heartbeat(&a, long).await.unwrap().live, 2);
    world.other.leave(&b).await.unwrap();
    assert_eq!(world.store.heartbeat(&a, long).await.unwrap().live, 1);
    // One that is silent for longer than its lifetime is gone.
    world.other.heartbeat(&b, short).await.unwrap();
    eventually("the silent one is gone", async || {
        world.store.heartbeat(&a, long).await.unwrap().live == 1
    })
    .await;
    if let Some(server) = &world.server {
        let lives_for: i64 = server
            .run(&["PTTL", "api-gateway:v1:replicas"])
            .await
            .unwrap();
        assert!(lives_for > 60_000, "{lives_for}");
    }
}

async fn what_replicas_say_of_themselves_is_read_by_all(world: &World) {
    let (a, b) = (ReplicaId::from("a"), ReplicaId::from("b"));
    let (short, long) = (Micros::from_millis(100), Micros::from_secs(60));
    let text = r#"{"any": "text \u0000 \"é"}"#;
    for (store, replica) in [(&world.store, &a), (&world.other, &b)] {
        store.heartbeat(replica, long).await.unwrap();
    }
    assert_eq!(world.store.reports().await.unwrap(), []);
    world.store.report(&a, "old", long).await.unwrap();
    world.store.report(&a, text, long).await.unwrap();
    world.other.report(&b, "b", short).await.unwrap();
    let said = world.other.reports().await.unwrap();
    assert_eq!(said[0], (a.clone(), text.to_owned()));
    eventually("what was said too long ago is gone", async || {
        world.store.reports().await.unwrap().len() == 1
    })
    .await;
    let long_text = "x".repeat(gateway::store::MAX_REPORT + 1);
    assert!(world.store.report(&a, &long_text, long).await.is_err());
    if let Some(server) = &world.server {
        let key = "api-gateway:v1:report:{a}";
        let lives_for: i64 = server.run(&["PTTL", key]).await.unwrap();
        assert!((1..=60_000).contains(&lives_for), "{lives_for}");
    }
    world.store.leave(&a).await.unwrap();
    assert_eq!(world.other.reports().await.unwrap(), []);
}

async fn events_reach_every_listener(world: &World) {
    let mut one = world.store.subscribe().await.unwrap();
    let mut two = world.other.subscribe().await.unwrap();
    if let Some(server) = &world.server {
        // A later version's event, then something that is none: both are passed over.
        for said in [r#"{"v":9,"kind":"circuit"}"#, "nonsense"] {
            let publish = ["PUBLISH", "api-gateway:v1:events", said];
            let heard: u32 = server.run(&publish).await.unwrap();
            assert_eq!(heard, 2);
        }
    }
    for epoch in 1..=3 {
        let event = Event::Circuit {
            upstream: "default".into(),
            epoch,
        };
        world.store.publish(&event).await.unwrap();
        assert_eq!(one.next().await.as_ref(), Some(&event));
        assert_eq!(two.next().await.as_ref(), Some(&event));
    }
}

async fn a_ping_is_answered(world: &World) {
    assert_eq!(world.store.ping().await, Ok(()));
    assert!(world.store.is_up());
}

/// What is written: one key a bucket, named as the contract says, with an expiry; nothing for what was only asked.
#[tokio::test]
async fn keys_are_named_as_promised_and_expire() {
    let world = shared().await;
    let server = world.server.as_ref().unwrap();
    let spec = spec(10, "1/1m");
    world
        .store
        .take(&bucket("a"), &spec, Ask::exactly(1))
        .await
        .unwrap();
    world
        .store
        .inspect(&bucket("b"), &spec.into())
        .await
        .unwrap();
    let keys: Vec<String> = server.run(&["KEYS", "*"]).await.unwrap();
    assert_eq!(keys, ["api-gateway:v1:limit:{per-client:a}"]);
    let lives_for: i64 = server.run(&["PTTL", &keys[0]]).await.unwrap();
    assert!((60_000..=61_000).contains(&lives_for), "{lives_for}");
}
