//! Requests in flight: as `policy` decides, as the script does on a real Redis, and as a plain list of who is in.

use std::cell::RefCell;

use gateway::policy::concurrency::{SlotId, Slots, SlotsSpec};
use gateway::policy::units::{Micros, StoreTime};
use gateway::policy::window::Batch;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::aio::MultiplexedConnection;

use crate::support::redis::Server;

const SCRIPT: &str = include_str!("../../src/store/redis/concurrency.lua");
const T0: StoreTime = StoreTime::new(1_800_000_000_000_000);

#[derive(Clone, Debug)]
enum Step {
    Acquire(Batch),
    /// The grant so many before the last.
    Release(usize),
    Renew(usize),
    Later(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let batch = (0..5_u64, 1..4_u64).prop_map(|(requests, cost)| Batch { requests, cost });
    let spans = prop_oneof![0..3_u64, 0..500_000_u64, 0..2_000_000_u64];
    prop_oneof![
        5 => batch.prop_map(Step::Acquire),
        2 => (0..5_usize).prop_map(Step::Release),
        1 => (0..5_usize).prop_map(Step::Renew),
        3 => spans.prop_map(Step::Later),
    ]
}

struct Remote {
    connection: MultiplexedConnection,
    key: String,
}

impl Remote {
    async fn call<T: redis::FromRedisValue>(
        &mut self,
        verb: &str,
        spec: &SlotsSpec,
        id: SlotId,
        batch: Batch,
        now: StoreTime,
    ) -> T {
        let mut call = redis::pipe();
        call.atomic().cmd("EVAL").arg(SCRIPT).arg(1).arg(&self.key);
        call.arg(verb).arg(spec.limit()).arg(spec.lease().get());
        call.arg(id.holder).arg(id.first);
        call.arg(batch.requests).arg(batch.cost).arg(now.get());
        // The history has a time of its own: a key must not go because the machine was busy elsewhere.
        call.cmd("PERSIST").arg(&self.key).ignore();
        let (answer,) = call.query_async(&mut self.connection).await.unwrap();
        answer
    }
}

/// Who is in: the number of each slot, and until when unless it is renewed.
#[derive(Default)]
struct Reference(Vec<(u32, u64)>);

impl Reference {
    fn live(&self, now: StoreTime) -> u64 {
        self.0
            .iter()
            .filter(|(_, until)| *until > now.get())
            .count() as u64
    }

    fn put(&mut self, grant: (u32, u64), until: u64) {
        self.take_out(grant);
        let slots = (0..grant.1).map(|offset| (grant.0.wrapping_add(offset as u32), until));
        self.0.extend(slots);
    }

    fn take_out(&mut self, (first, count): (u32, u64)) {
        self.0
            .retain(|(slot, _)| u64::from(slot.wrapping_sub(first)) >= count);
    }
}

async fn same_answers(
    remote: &mut Remote,
    spec: SlotsSpec,
    history: Vec<Step>,
) -> Result<(), TestCaseError> {
    let (mut slots, mut now) = (Slots::default(), T0);
    let mut reference = Reference::default();
    // Near the end of the numbers, so that they wrap.
    let mut next = u32::MAX - 5;
    let mut grants: Vec<(u32, u64)> = Vec::new();
    let id = |first| SlotId {
        holder: u64::MAX,
        first,
    };
    for step in history {
        let count = |(_, count): (u32, u64)| Batch {
            requests: count,
            cost: 1,
        };
        match step {
            Step::Later(span) => now = now.after(Micros::new(span)),
            Step::Acquire(batch) => {
                let available = spec.limit().saturating_sub(reference.live(now));
                let fitting = batch.requests.min(available / batch.cost);
                let here = slots.acquire(&spec, id(next), batch, now);
                let there: [u64; 5] = remote.call("acquire", &spec, id(next), batch, now).await;
                prop_assert_eq!(here.granted, fitting * batch.cost);
                prop_assert_eq!(there[0], here.granted);
                prop_assert_eq!(there[1], here.remaining);
                prop_assert_eq!(there[2], here.retry_after.get());
                prop_assert_eq!(there[3], here.full_after.get());
                if here.granted > 0 {
                    let until = now.after(spec.lease()).get();
                    reference.put((next, here.granted), until);
                    grants.push((next, here.granted));
                    next = next.wrapping_add(here.granted as u32);
                } else if batch.requests > 0 && batch.cost <= spec.limit() {
                    // Unless somebody renews, that long is enough.
                    let later = now.after(here.retry_after);
                    prop_assert!(spec.limit() - reference.live(later) >= batch.cost);
                }
            }
            Step::Release(which) => {
                let Some(grant) = grants.iter().rev().nth(which).copied() else {
                    continue;
                };
                let here = slots.release(id(grant.0), grant.1);
                let there: u64 = remote
                    .call("release", &spec, id(grant.0), count(grant), now)
                    .await;
                prop_assert_eq!(there, here);
                reference.take_out(grant);
            }
            Step::Renew(which) => {
                let Some(grant) = grants.iter().rev().nth(which).copied() else {
                    continue;
                };
                let here = slots.renew(&spec, id(grant.0), grant.1, now);
                let there: u64 = remote
                    .call("renew", &spec, id(grant.0), count(grant), now)
                    .await;
                prop_assert_eq!(there, here);
                reference.put(grant, now.after(spec.lease()).get());
            }
        }
    }
    Ok(())
}

#[test]
fn slots_are_granted_released_and_renewed_alike_everywhere() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let client = redis::Client::open(server.url()).unwrap();
    let connection = runtime
        .block_on(client.get_multiplexed_async_connection())
        .unwrap();
    let remote = RefCell::new(Remote {
        connection,
        key: String::new(),
    });
    let cases = RefCell::new(0);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let specs = (1..9_u64).prop_map(|limit| SlotsSpec::new(limit, Micros::from_secs(1)).unwrap());
    let histories = (specs, proptest::collection::vec(steps(), 1..50));
    let outcome = runner.run(&histories, |(spec, history)| {
        *cases.borrow_mut() += 1;
        let mut remote = remote.borrow_mut();
        remote.key = format!("slots:{}", cases.borrow());
        runtime.block_on(same_answers(&mut remote, spec, history))
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    assert!(*cases.borrow() > 0);
}
