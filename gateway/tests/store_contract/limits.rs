//! What every algorithm promises in every store.

use std::time::Duration;

use gateway::policy::concurrency::{SlotId, SlotsSpec};
use gateway::policy::ids::BucketId;
use gateway::policy::limit::LimitSpec;
use gateway::policy::token_bucket::{Ask, BucketSpec, Taken};
use gateway::policy::units::{Micros, Rate};
use gateway::policy::window::{Batch, Counting, WindowSpec};
use gateway::store::{Event, Store};
use tokio::time::sleep;

use super::{World, bucket};

const LONG: Micros = Micros::from_secs(300 * 86_400);

/// Each algorithm with `limit` tokens, which come back within `time`; a lease lasts at least a second.
fn all(limit: u64, time: Micros) -> [LimitSpec; 5] {
    let rate = Rate::new(limit, time).unwrap();
    let window = |counting| WindowSpec::new(counting, limit, time).unwrap().into();
    let lease = time.clamp(Micros::from_secs(1), Micros::from_secs(86_400));
    [
        BucketSpec::new(limit, rate).unwrap().into(),
        window(Counting::Fixed),
        window(Counting::Sliding),
        window(Counting::Log),
        SlotsSpec::new(limit, lease).unwrap().into(),
    ]
}

/// Slots are numbered by who takes them: these tests number them by what was taken before.
const fn slot(first: u32) -> SlotId {
    SlotId { holder: 7, first }
}

async fn take(store: &Store, id: &BucketId, spec: &LimitSpec, batch: Batch, first: u32) -> Taken {
    let taken = match spec {
        LimitSpec::TokenBucket(spec) => {
            let ask = Ask::exactly(batch.requests * batch.cost);
            store.take(id, spec, ask).await
        }
        LimitSpec::Window(spec) => store.count(id, spec, batch).await,
        LimitSpec::Concurrency(spec) => store.acquire(id, spec, slot(first), batch).await,
    };
    taken.unwrap()
}

async fn give_back(store: &Store, id: &BucketId, spec: &LimitSpec, tokens: u64, of: &Taken) {
    match spec {
        LimitSpec::TokenBucket(spec) => {
            let returned = store.give_back(id, spec, tokens, of.at, LONG).await;
            assert_eq!(returned, Ok(true));
        }
        LimitSpec::Window(spec) => {
            let returned = store.uncount(id, spec, tokens, of.at).await;
            assert_eq!(returned, Ok(true));
        }
        LimitSpec::Concurrency(spec) => {
            let known = store.release(id, spec, slot(0), tokens).await;
            assert_eq!(known, Ok(tokens));
        }
    }
}

const fn single(requests: u64) -> Batch {
    Batch { requests, cost: 1 }
}

pub(super) async fn every_limit_is_one_for_all_who_share_it(world: &World) {
    for spec in all(10, LONG) {
        let (id, name) = (bucket(spec.algorithm()), spec.algorithm());
        let first = take(&world.store, &id, &spec, single(3), 0).await;
        assert_eq!((first.granted, first.remaining), (3, 7), "{name}");
        assert_eq!(first.retry_after, Micros::ZERO, "{name}");
        assert!(first.full_after > Micros::ZERO, "{name}");
        let rest = take(&world.other, &id, &spec, single(9), 3).await;
        assert_eq!((rest.granted, rest.remaining), (7, 0), "{name}");
        assert!(rest.retry_after > Micros::ZERO, "{name}");
        assert!(rest.at >= first.at, "{name}");
        let none = take(&world.store, &id, &spec, single(1), 10).await;
        assert_eq!((none.granted, none.remaining), (0, 0), "{name}");
    }
}

pub(super) async fn requests_of_several_tokens_are_granted_whole(world: &World) {
    let threes = Batch {
        requests: 5,
        cost: 3,
    };
    for spec in &all(10, LONG)[1..] {
        let (id, name) = (bucket(spec.algorithm()), spec.algorithm());
        let taken = take(&world.store, &id, spec, threes, 0).await;
        assert_eq!((taken.granted, taken.remaining), (9, 1), "{name}");
        let dear = take(&world.other, &id, spec, threes, 9).await;
        assert_eq!((dear.granted, dear.remaining), (0, 1), "{name}");
        let cheap = take(&world.other, &id, spec, single(1), 9).await;
        assert_eq!((cheap.granted, cheap.remaining), (1, 0), "{name}");
    }
}

pub(super) async fn every_retry_after_is_true(world: &World) {
    for spec in all(2, Micros::from_millis(300)) {
        let (id, name) = (bucket(spec.algorithm()), spec.algorithm());
        // A window may end between two calls; what is denied has been told when to come back.
        let mut first = 0;
        let denied = loop {
            let taken = take(&world.store, &id, &spec, single(2), first).await;
            first += 2;
            if taken.granted < 2 {
                break taken;
            }
        };
        assert!(denied.retry_after <= Micros::from_secs(1), "{name}");
        // A timer's millisecond may begin before the store's microsecond.
        sleep(denied.retry_after.to_duration() + Duration::from_millis(2)).await;
        let granted = take(&world.other, &id, &spec, single(1), first).await;
        assert_eq!(granted.granted, 1, "{name}");
    }
}

pub(super) async fn what_went_nowhere_is_not_counted(world: &World) {
    for spec in all(10, LONG) {
        let (id, name) = (bucket(spec.algorithm()), spec.algorithm());
        let taken = take(&world.store, &id, &spec, single(10), 0).await;
        assert_eq!(taken.granted, 10, "{name}");
        give_back(&world.other, &id, &spec, 4, &taken).await;
        let again = take(&world.store, &id, &spec, single(10), 20).await;
        assert_eq!((again.granted, again.remaining), (4, 0), "{name}");
    }
}

pub(super) async fn nobody_gives_back_what_was_never_taken(world: &World) {
    let [_, fixed, sliding, log, slots] = all(10, LONG);
    for spec in [fixed, sliding, log] {
        let LimitSpec::Window(window) = spec else {
            panic!("a window")
        };
        let (id, name) = (bucket(spec.algorithm()), spec.algorithm());
        let nothing = world.store.inspect(&id, &spec).await.unwrap();
        let returned = world.store.uncount(&id, &window, 1, nothing.at).await;
        assert_eq!(returned, Ok(false), "{name}");
        let taken = take(&world.store, &id, &spec, single(2), 0).await;
        assert_eq!(taken.remaining, 8, "{name}");
    }
    let LimitSpec::Concurrency(slots) = slots else {
        panic!("slots")
    };
    let id = bucket("nobody");
    let known = world.store.release(&id, &slots, slot(0), 3).await;
    assert_eq!(known, Ok(0));
}

pub(super) async fn looking_at_any_limit_changes_nothing(world: &World) {
    for spec in all(10, LONG) {
        let (id, name) = (bucket(spec.algorithm()), spec.algorithm());
        let unknown = world.store.inspect(&id, &spec).await.unwrap();
        assert_eq!((unknown.granted, unknown.remaining), (0, 10), "{name}");
        assert_eq!(unknown.full_after, Micros::ZERO, "{name}");
        take(&world.store, &id, &spec, single(3), 0).await;
        for _ in 0..3 {
            let looked = world.other.inspect(&id, &spec).await.unwrap();
            assert_eq!((looked.granted, looked.remaining), (0, 7), "{name}");
            assert_eq!(looked.retry_after, Micros::ZERO, "{name}");
        }
    }
}

pub(super) async fn any_forgotten_limit_is_new_and_everybody_hears(world: &World) {
    let mut events = world.other.subscribe().await.unwrap();
    for spec in all(10, LONG) {
        let (id, name) = (bucket(spec.algorithm()), spec.algorithm());
        take(&world.store, &id, &spec, single(10), 0).await;
        world.store.forget(&id).await.unwrap();
        let heard = Event::BucketForgotten {
            policy: id.policy.clone(),
            client: name.to_owned(),
        };
        assert_eq!(events.next().await, Some(heard));
        let taken = take(&world.other, &id, &spec, single(10), 10).await;
        assert_eq!(taken.granted, 10, "{name}");
    }
}

pub(super) async fn a_limit_whose_algorithm_changed_begins_anew(world: &World) {
    let id = bucket("same name");
    for spec in all(10, LONG) {
        let taken = take(&world.store, &id, &spec, single(10), 0).await;
        assert_eq!(taken.granted, 10, "{}", spec.algorithm());
    }
    for spec in all(10, LONG) {
        let taken = take(&world.other, &id, &spec, single(1), 10).await;
        assert_eq!(taken.granted, 0, "{}", spec.algorithm());
    }
}

pub(super) async fn a_slot_is_held_while_it_is_renewed_and_no_longer(world: &World) {
    let spec = SlotsSpec::new(2, Micros::from_secs(1)).unwrap();
    let (id, ours, theirs) = (bucket("a"), slot(0), slot(1));
    for one in [ours, theirs] {
        let taken = world.store.acquire(&id, &spec, one, single(1)).await;
        assert_eq!(taken.unwrap().granted, 1);
    }
    // Ours is renewed until theirs, which is not, is over.
    let third = slot(2);
    let renewing = async {
        loop {
            sleep(Duration::from_millis(200)).await;
            assert_eq!(world.store.renew(&id, &spec, ours, 1).await, Ok(1));
            let taken = world.other.acquire(&id, &spec, third, single(2)).await;
            if taken.unwrap().granted > 0 {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), renewing)
        .await
        .expect("their lease ends");
    let looked = world.store.inspect(&id, &spec.into()).await.unwrap();
    assert_eq!(looked.remaining, 0, "ours is held, and the third");
    // A renewal that comes too late says what is true: a third request is in flight.
    assert_eq!(world.store.renew(&id, &spec, theirs, 1).await, Ok(0));
    assert_eq!(world.store.release(&id, &spec, ours, 1).await, Ok(1));
    assert_eq!(world.store.release(&id, &spec, ours, 1).await, Ok(0));
    let looked = world.store.inspect(&id, &spec.into()).await.unwrap();
    assert_eq!(looked.remaining, 0);
    assert_eq!(world.store.release(&id, &spec, theirs, 2).await, Ok(2));
    let looked = world.store.inspect(&id, &spec.into()).await.unwrap();
    assert_eq!(looked.remaining, 2);
}

/// What is written: one key for each algorithm, with an expiry; nothing for what was only asked, or denied.
#[tokio::test]
async fn each_algorithm_has_one_key_that_expires() {
    let world = super::shared().await;
    let server = world.server.as_ref().unwrap();
    let window = Micros::from_secs(86_400);
    for (spec, suffix, lives) in [
        (1, ":fixed", 0..=86_401_000_i64),
        (2, ":sliding", 86_400_000..=172_801_000),
        (3, ":log", 86_400_000..=86_401_000),
        (4, ":slots", 86_400_000..=86_401_000),
    ]
    .map(|(place, suffix, lives)| (all(10, window)[place], suffix, lives))
    {
        let name = spec.algorithm();
        world.store.inspect(&bucket("b"), &spec).await.unwrap();
        take(&world.store, &bucket("a"), &spec, single(10), 0).await;
        let keys: Vec<String> = server.run(&["KEYS", "*"]).await.unwrap();
        assert_eq!(
            keys,
            [format!("api-gateway:v1:limit:{{per-client:a}}{suffix}")]
        );
        let lives_for: i64 = server.run(&["PTTL", &keys[0]]).await.unwrap();
        assert!(lives.contains(&lives_for), "{name}: {lives_for}");
        let before: Vec<u8> = server.run(&["DUMP", &keys[0]]).await.unwrap();
        take(&world.store, &bucket("a"), &spec, single(10), 10).await;
        let after: Vec<u8> = server.run(&["DUMP", &keys[0]]).await.unwrap();
        assert_eq!(before, after, "{name}: a denial writes nothing");
        world.store.forget(&bucket("a")).await.unwrap();
    }
}
