//! The bucket as `policy` decides it and as the scripts decide it on a real Redis: the same answers to any history.
//!
//! The scripts take an explicit time as one argument more, which the gateway never sends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support {
    pub(crate) mod redis;
}

use gateway::policy::token_bucket::{Ask, Bucket, BucketSpec};
use gateway::policy::units::{Micros, Rate, StoreTime};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::aio::MultiplexedConnection;
use support::redis::Server;

const TAKE: &str = include_str!("../src/store/redis/take.lua");
const GIVE_BACK: &str = include_str!("../src/store/redis/give_back.lua");

const T0: StoreTime = StoreTime::new(1_800_000_000_000_000);

#[derive(Clone, Debug)]
enum Step {
    Take(Ask),
    GiveBack { tokens: u64, age: u64, max_age: u64 },
    Later(u64),
    Earlier(u64),
    Become(BucketSpec),
}

fn specs() -> impl Strategy<Value = BucketSpec> {
    let capacity = prop_oneof![1..10_u64, 1..100_000_u64, Just(1 << 32)];
    let tokens = prop_oneof![Just(1_u64), 1..1_000_u64, 1..1_000_000_u64];
    let per = prop_oneof![
        1..1_000_u64,
        Just(1_000_000_u64),
        1..100_000_000_000_u64,
        Just((1 << 52) - 1)
    ];
    (capacity, tokens, per).prop_filter_map("within exact numbers", |(capacity, tokens, per)| {
        let rate = Rate::new(tokens, Micros::new(per)).ok()?;
        BucketSpec::new(capacity, rate).ok()
    })
}

fn counts() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, 0..1_000_u64, Just(u64::MAX)]
}

fn spans() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..3_u64,
        0..2_000_u64,
        0..2_000_000_u64,
        0..10_000_000_000_u64
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let share = prop_oneof![0..6_u64, Just(u64::MAX)];
    let ask =
        (counts(), counts(), share).prop_map(|(need, spare, share)| Ask { need, spare, share });
    prop_oneof![
        6 => ask.prop_map(Step::Take),
        3 => (counts(), spans(), spans())
            .prop_map(|(tokens, age, max_age)| Step::GiveBack { tokens, age, max_age }),
        4 => spans().prop_map(Step::Later),
        1 => spans().prop_map(Step::Earlier),
        1 => specs().prop_map(Step::Become),
    ]
}

struct Remote {
    connection: MultiplexedConnection,
    take: redis::Script,
    give_back: redis::Script,
    key: String,
}

impl Remote {
    async fn take(&mut self, spec: &BucketSpec, ask: Ask, now: StoreTime) -> [u64; 5] {
        let mut call = self.take.key(&self.key);
        call.arg(ask.need).arg(ask.spare).arg(ask.share);
        call.arg(spec.capacity()).arg(spec.refill().tokens());
        call.arg(spec.refill().per().get()).arg(now.get());
        call.invoke_async(&mut self.connection).await.unwrap()
    }

    async fn give_back(
        &mut self,
        spec: &BucketSpec,
        (tokens, debited_at, max_age): (u64, u64, u64),
        now: StoreTime,
    ) -> bool {
        let mut call = self.give_back.key(&self.key);
        call.arg(tokens).arg(debited_at).arg(max_age);
        call.arg(spec.capacity()).arg(spec.refill().tokens());
        call.arg(spec.refill().per().get()).arg(now.get());
        call.invoke_async(&mut self.connection).await.unwrap()
    }

    async fn lives_for(&mut self) -> i64 {
        let mut pttl = redis::cmd("PTTL");
        pttl.arg(&self.key)
            .query_async(&mut self.connection)
            .await
            .unwrap()
    }
}

async fn same_answers(
    remote: &mut Remote,
    mut spec: BucketSpec,
    history: Vec<Step>,
) -> Result<(), TestCaseError> {
    let (mut bucket, mut now) = (Bucket::default(), T0);
    for step in history {
        match step {
            Step::Later(span) => now = now.after(Micros::new(span)),
            Step::Earlier(span) => now = now.before(Micros::new(span)),
            Step::Become(other) => spec = other,
            Step::Take(ask) => {
                let here = bucket.take(&spec, ask, now);
                let expected = [
                    here.granted,
                    here.remaining,
                    here.retry_after.get(),
                    here.full_after.get(),
                    here.at.get(),
                ];
                prop_assert_eq!(remote.take(&spec, ask, now).await, expected);
                if here.granted > 0 {
                    kept_until_full(remote, &bucket, now).await?;
                }
            }
            Step::GiveBack {
                tokens,
                age,
                max_age,
            } => {
                let debited_at = now.before(Micros::new(age));
                let max = Micros::new(max_age);
                let here = bucket.give_back(&spec, tokens, debited_at, max, now);
                let asked = (tokens, debited_at.get(), max_age);
                prop_assert_eq!(remote.give_back(&spec, asked, now).await, here);
                if here {
                    kept_until_full(remote, &bucket, now).await?;
                }
            }
        }
    }
    Ok(())
}

async fn kept_until_full(
    remote: &mut Remote,
    bucket: &Bucket,
    now: StoreTime,
) -> Result<(), TestCaseError> {
    let to_full = bucket.full_at().since(now).get().div_ceil(1_000);
    let lives_for = remote.lives_for().await;
    prop_assert!(
        u64::try_from(lives_for).is_ok_and(|lives_for| lives_for >= to_full),
        "kept for {lives_for} ms, full in {to_full} ms"
    );
    Ok(())
}

#[test]
fn the_scripts_decide_as_the_policy_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let client = redis::Client::open(server.url()).unwrap();
    let connection = runtime
        .block_on(client.get_multiplexed_async_connection())
        .unwrap();
    let mut remote = Remote {
        connection,
        take: redis::Script::new(TAKE),
        give_back: redis::Script::new(GIVE_BACK),
        key: String::new(),
    };
    let mut cases = 0_u32;
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let histories = (specs(), proptest::collection::vec(steps(), 1..60));
    let remote = std::cell::RefCell::new(&mut remote);
    let counted = std::cell::RefCell::new(&mut cases);
    let outcome = runner.run(&histories, |(spec, history)| {
        **counted.borrow_mut() += 1;
        let mut remote = remote.borrow_mut();
        remote.key = format!("bucket:{}", counted.borrow());
        runtime.block_on(same_answers(&mut remote, spec, history))
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    assert!(cases > 0);
}

#[tokio::test]
async fn a_bucket_is_kept_until_it_is_full_and_a_second_more() {
    let server = Server::start().await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut remote = Remote {
        connection: client.get_multiplexed_async_connection().await.unwrap(),
        take: redis::Script::new(TAKE),
        give_back: redis::Script::new(GIVE_BACK),
        key: "bucket".to_owned(),
    };
    let spec = BucketSpec::new(10, "1/1m".parse().unwrap()).unwrap();
    remote.take(&spec, Ask::exactly(0), T0).await;
    assert_eq!(
        remote.lives_for().await,
        -2,
        "asking for nothing writes nothing"
    );
    remote.take(&spec, Ask::exactly(3), T0).await;
    let lives_for = remote.lives_for().await;
    assert!((180_000..=181_000).contains(&lives_for), "{lives_for}");
    let late = T0.after(Micros::from_secs(1));
    assert!(
        remote
            .give_back(&spec, (1, T0.get(), 2_000_000), late)
            .await
    );
    let lives_for = remote.lives_for().await;
    assert!((119_000..=120_000).contains(&lives_for), "{lives_for}");
}
