//! What both stores promise of kept answers: one suite, over the embedded store on paused time and over a real Redis.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway::policy::cacheability::{Digest, KeySpec, Target};
use gateway::policy::units::Micros;
use gateway::store::cache::{Found, Keep, Recall, Recalled, Turn, VariantId};
use gateway::store::settings::{Settings, StoreUrl};
use gateway::store::{Event, Health, Store, op};
use tokio::time::sleep;

use super::support::redis::Server;

const LONG: Micros = Micros::from_secs(60);

struct World {
    store: Store,
    _server: Option<Server>,
}

fn embedded() -> World {
    World {
        store: Store::memory(1_000),
        _server: None,
    }
}

async fn shared() -> World {
    let server = Server::start().await;
    let settings = Settings {
        timeout: Duration::from_secs(5),
        ..Settings::default()
    };
    let url = StoreUrl::parse(&server.url()).unwrap();
    let health = Arc::new(Health::new(3));
    World {
        store: Store::redis(&url, &settings, health, op::unobserved()).unwrap(),
        _server: Some(server),
    }
}

macro_rules! contract {
    ($($promise:ident),* $(,)?) => {
        mod on_the_embedded_store {
            $(#[tokio::test(start_paused = true)]
            async fn $promise() {
                super::$promise(&super::embedded().store).await;
            })*
        }
        mod on_redis {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(&super::shared().await.store).await;
            })*
        }
    };
}

contract![
    one_has_the_turn_and_the_others_wait,
    a_turn_ends_by_itself_and_by_word,
    what_is_kept_is_found_until_it_is_of_no_use,
    what_is_stale_is_found_and_can_be_asked_for,
    nobody_waits_for_what_is_not_for_keeping,
    what_was_asked_for_before_a_purge_is_not_kept,
    a_purge_is_heard,
    other_fields_make_other_variants,
    variants_are_bounded,
    tags_only_grow,
];

fn digest(name: &str) -> Digest {
    KeySpec::default().key(&Target {
        scheme: "http",
        host: "test",
        path: name,
        query: None,
    })
}

fn id(variant: &str) -> VariantId {
    VariantId {
        target: digest("/x"),
        variant: digest(variant),
    }
}

async fn recall(store: &Store, variant: &str, vary: &str, holder: u64) -> Recalled {
    let turn = (holder != 0).then_some((holder, LONG));
    let recall = Recall {
        id: id(variant),
        vary,
        turn,
    };
    store.recall(&recall).await.unwrap()
}

fn keep<'a>(variant: &str, vary: &'a str, holder: u64, generation: u64) -> Keep<'a> {
    Keep {
        id: id(variant),
        vary,
        generation,
        value: Bytes::from(format!("answer {variant}")),
        fresh_for: LONG,
        keep_for: LONG,
        holder,
        variants: 3,
    }
}

fn is_value(found: &Found, value: &str) -> bool {
    matches!(found, Found::Value(bytes, age) if bytes == value && *age < LONG)
}

async fn one_has_the_turn_and_the_others_wait(store: &Store) {
    let first = recall(store, "a", "", 1).await;
    assert_eq!((first.found, first.turn), (Found::Nothing, Turn::Yours));
    assert_eq!(recall(store, "a", "", 2).await.turn, Turn::Others);
    assert_eq!(recall(store, "a", "", 1).await.turn, Turn::Yours);
    assert_eq!(recall(store, "a", "", 0).await.turn, Turn::Nobodys);
    assert_eq!(recall(store, "b", "", 2).await.turn, Turn::Yours);
    assert!(
        store
            .keep(&keep("a", "", 1, first.generation))
            .await
            .unwrap()
    );
    let second = recall(store, "a", "", 2).await;
    assert!(is_value(&second.found, "answer a"), "{second:?}");
    assert_eq!(second.turn, Turn::Nobodys);
}

async fn a_turn_ends_by_itself_and_by_word(store: &Store) {
    let short = Recall {
        id: id("a"),
        vary: "",
        turn: Some((1, Micros::new(20_000))),
    };
    assert_eq!(store.recall(&short).await.unwrap().turn, Turn::Yours);
    sleep(Duration::from_millis(40)).await;
    assert_eq!(recall(store, "a", "", 2).await.turn, Turn::Yours);
    // Who lost it cannot end another's.
    store.end_turn(&id("a"), 1, Micros::ZERO).await.unwrap();
    assert_eq!(recall(store, "a", "", 3).await.turn, Turn::Others);
    store.end_turn(&id("a"), 2, Micros::ZERO).await.unwrap();
    assert_eq!(recall(store, "a", "", 3).await.turn, Turn::Yours);
}

async fn what_is_kept_is_found_until_it_is_of_no_use(store: &Store) {
    let kept = Keep {
        fresh_for: Micros::new(10_000),
        keep_for: Micros::new(50_000),
        ..keep("a", "", 1, 0)
    };
    assert!(store.keep(&kept).await.unwrap());
    sleep(Duration::from_millis(100)).await;
    assert_eq!(recall(store, "a", "", 0).await.found, Found::Nothing);
}

async fn what_is_stale_is_found_and_can_be_asked_for(store: &Store) {
    let kept = Keep {
        fresh_for: Micros::new(10_000),
        ..keep("a", "", 1, 0)
    };
    store.keep(&kept).await.unwrap();
    sleep(Duration::from_millis(30)).await;
    let recalled = recall(store, "a", "", 2).await;
    let Found::Value(_, age) = &recalled.found else {
        panic!("{recalled:?}");
    };
    assert!(age.get() >= 30_000, "{age}");
    assert_eq!(recalled.turn, Turn::Yours);
    assert_eq!(recall(store, "a", "", 3).await.turn, Turn::Others);
}

async fn nobody_waits_for_what_is_not_for_keeping(store: &Store) {
    recall(store, "a", "", 1).await;
    store
        .end_turn(&id("a"), 1, Micros::new(50_000))
        .await
        .unwrap();
    assert_eq!(recall(store, "a", "", 2).await.turn, Turn::Everybodys);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(recall(store, "a", "", 2).await.turn, Turn::Yours);
}

async fn what_was_asked_for_before_a_purge_is_not_kept(store: &Store) {
    let before = recall(store, "a", "", 1).await.generation;
    store.purge_target(&digest("/x")).await.unwrap();
    assert!(!store.keep(&keep("a", "", 1, before)).await.unwrap());
    let after = recall(store, "a", "", 2).await;
    assert_eq!((after.found, after.turn), (Found::Nothing, Turn::Yours));
    assert!(after.generation > before);
    assert!(
        store
            .keep(&keep("a", "", 2, after.generation))
            .await
            .unwrap()
    );
    store.purge_target(&digest("/x")).await.unwrap();
    assert_eq!(recall(store, "a", "", 0).await.found, Found::Nothing);
}

async fn a_purge_is_heard(store: &Store) {
    let mut events = store.subscribe().await.unwrap();
    let target = digest("/x");
    store.purge_target(&target).await.unwrap();
    assert_eq!(events.next().await, Some(Event::TargetPurged { target }));
    let generation = store.purge_tag("tag:a").await.unwrap();
    let tag = "tag:a".to_owned();
    assert_eq!(
        events.next().await,
        Some(Event::TagPurged { tag, generation })
    );
}

async fn other_fields_make_other_variants(store: &Store) {
    store.keep(&keep("a", "accept", 1, 0)).await.unwrap();
    let told = recall(store, "a", "", 1).await;
    assert_eq!(told.found, Found::OtherVary("accept".to_owned()));
    assert!(is_value(
        &recall(store, "a", "accept", 0).await.found,
        "answer a"
    ));
    store
        .keep(&keep("b", "accept,accept-language", 1, 0))
        .await
        .unwrap();
    let both = "accept,accept-language";
    assert!(is_value(
        &recall(store, "b", both, 0).await.found,
        "answer b"
    ));
    assert_eq!(recall(store, "a", both, 0).await.found, Found::Nothing);
}

async fn variants_are_bounded(store: &Store) {
    for variant in ["a", "b", "c", "d"] {
        store.keep(&keep(variant, "accept", 1, 0)).await.unwrap();
        sleep(Duration::from_millis(2)).await;
    }
    let mut found = Vec::new();
    for variant in ["a", "b", "c", "d"] {
        if recall(store, variant, "accept", 0).await.found != Found::Nothing {
            found.push(variant);
        }
    }
    assert_eq!(found, ["b", "c", "d"]);
}

async fn tags_only_grow(store: &Store) {
    assert!(store.tags().await.unwrap().is_empty());
    let first = store.purge_tag("tag:a").await.unwrap();
    let second = store.purge_tag("tag:a").await.unwrap();
    assert!(second > first);
    assert_eq!(store.tags().await.unwrap(), [("tag:a".to_owned(), second)]);
}
