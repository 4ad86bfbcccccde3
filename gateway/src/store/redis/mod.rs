//! The shared store: every decision is one script on one key of a Redis server.
//!
//! Guarantees: no call outlasts the configured deadline, connecting included; no more than [`MOST_IN_FLIGHT`] are under way on one
//! handle; while the store is down none is sent. What the server says it did not carry out (a script it does not know, a key on the
//! move, a replica in a master's place, data still loading) is sent again within the deadline; what may have been carried out never
//! is. Must not: check a connection out for each call: one held connection carries them all, pipelined, where a pool would add a
//! `PING` to each.

mod classify;
mod connect;
mod events;
mod keys;
mod link;
mod script;
mod url;

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::aio::ConnectionLike as _;
use deadpool_redis::redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, Value, cmd, from_redis_value,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use self::classify::{breaks_connection, classify, not_carried_out};
pub use self::connect::OpenError;
use self::connect::{Connection, Factory};
pub(super) use self::events::Listener;
use self::keys::Keys;
use self::link::Link;
use self::script::{Invocation, Script, script};
use super::event::Event;
use super::health::Health;
use super::op::{Observer, Op};
use super::settings::{Settings, StoreUrl};
use super::{Fleet, StoreError};
use crate::policy::ids::{BucketId, ReplicaId};
use crate::policy::token_bucket::{Ask, BucketSpec, Taken};
use crate::policy::units::{Micros, StoreTime};

/// Calls under way on one handle, beyond which another is refused at once.
const MOST_IN_FLIGHT: usize = 1_024;
/// Pause before a call that was not carried out is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(2);
/// How long subscribing may take, connection included. No request waits for it.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(2);

static TAKE: Script = script!("take.lua");
static GIVE_BACK: Script = script!("give_back.lua");
static HEARTBEAT: Script = script!("heartbeat.lua");

/// A handle on the shared store, with a connection of its own; clones share it. One a thread.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    keys: Keys,
    deadline: Duration,
    in_flight: Semaphore,
    health: Arc<Health>,
    observer: Observer,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis")
            .field("keys", &self.0.keys)
            .field("health", &self.0.health)
            .finish_non_exhaustive()
    }
}

impl Redis {
    pub(super) fn open(
        url: &StoreUrl,
        settings: &Settings,
        health: Arc<Health>,
        observer: Observer,
    ) -> Result<Self, OpenError> {
        let factory = Factory::open(url, settings)?;
        Ok(Self(Arc::new(Inner {
            link: Link::new(factory, Arc::clone(&health)),
            keys: Keys::new(&settings.prefix),
            deadline: settings.timeout,
            in_flight: Semaphore::new(MOST_IN_FLIGHT),
            health,
            observer,
        })))
    }

    pub(super) fn is_up(&self) -> bool {
        self.0.health.is_up()
    }

    pub(super) async fn take(
        &self,
        bucket: &BucketId,
        spec: &BucketSpec,
        ask: Ask,
    ) -> Result<Taken, StoreError> {
        self.take_as(Op::Take, bucket, spec, ask).await
    }

    pub(super) async fn inspect(
        &self,
        bucket: &BucketId,
        spec: &BucketSpec,
    ) -> Result<Taken, StoreError> {
        self.take_as(Op::Inspect, bucket, spec, Ask::exactly(0))
            .await
    }

    async fn take_as(
        &self,
        op: Op,
        bucket: &BucketId,
        spec: &BucketSpec,
        ask: Ask,
    ) -> Result<Taken, StoreError> {
        let call = TAKE
            .on(&self.0.keys.limit(bucket))
            .arg(ask.need)
            .arg(ask.spare)
            .arg(ask.share);
        let [granted, remaining, retry_after, full_after, at]: [u64; 5] =
            self.run(op, described(call, spec)).await?;
        Ok(Taken {
            granted,
            remaining,
            retry_after: Micros::new(retry_after),
            full_after: Micros::new(full_after),
            at: StoreTime::new(at),
        })
    }

    pub(super) async fn give_back(
        &self,
        bucket: &BucketId,
        spec: &BucketSpec,
        tokens: u64,
        debited_at: StoreTime,
        max_age: Micros,
    ) -> Result<bool, StoreError> {
        let call = GIVE_BACK
            .on(&self.0.keys.limit(bucket))
            .arg(tokens)
            .arg(debited_at.get())
            .arg(max_age.get());
        let returned: u64 = self.run(Op::GiveBack, described(call, spec)).await?;
        Ok(returned == 1)
    }

    pub(super) async fn forget(&self, bucket: &BucketId) -> Result<(), StoreError> {
        let mut del = cmd("DEL");
        del.arg(self.0.keys.limit(bucket));
        self.ask(Op::Forget, &Request::Command(del)).await?;
        self.publish(&Event::BucketForgotten {
            policy: bucket.policy.clone(),
            client: bucket.client.to_string(),
        })
        .await
    }

    pub(super) async fn heartbeat(
        &self,
        replica: &ReplicaId,
        lifetime: Micros,
    ) -> Result<Fleet, StoreError> {
        let call = HEARTBEAT
            .on(&self.0.keys.replicas())
            .arg(replica.as_str())
            .arg(lifetime.get());
        let (live, at): (u32, u64) = self.run(Op::Heartbeat, call).await?;
        Ok(Fleet {
            live,
            at: StoreTime::new(at),
        })
    }

    pub(super) async fn leave(&self, replica: &ReplicaId) -> Result<(), StoreError> {
        let mut zrem = cmd("ZREM");
        zrem.arg(self.0.keys.replicas()).arg(replica.as_str());
        self.ask(Op::Leave, &Request::Command(zrem)).await?;
        Ok(())
    }

    /// Takes a token from a bucket that is full again a microsecond later: a server that decides this, and writes it, decides
    /// everything. `PING` would be answered by a read-only replica too, and to a user who may run no script.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let call = TAKE.on(&self.0.keys.probe());
        let call = [1_u64, 0, 1, 1, 1, 1]
            .into_iter()
            .fold(call, Invocation::arg);
        let _answer: [u64; 5] = self.run(Op::Ping, call).await?;
        self.0.health.found();
        Ok(())
    }

    pub(super) async fn publish(&self, event: &Event) -> Result<(), StoreError> {
        let payload = event.encode().ok_or(StoreError::Unexpected)?;
        let mut publish = cmd("PUBLISH");
        publish.arg(self.0.keys.events()).arg(payload);
        self.ask(Op::Publish, &Request::Command(publish)).await?;
        Ok(())
    }

    pub(super) async fn subscribe(&self) -> Result<Listener, StoreError> {
        let channel = self.0.keys.events();
        let subscribing = Listener::subscribe(self.0.link.factory(), &channel);
        match timeout(SUBSCRIBE_TIMEOUT, subscribing).await {
            Ok(Ok(listener)) => Ok(listener),
            Ok(Err(error)) => Err(self.hear(&error)),
            Err(_) => Err(StoreError::Timeout),
        }
    }
}

// === How a call is made ===

/// Something to send.
enum Request {
    Script(Invocation),
    Command(Cmd),
}

impl Redis {
    /// Runs a script and reads its answer.
    async fn run<T: FromRedisValue>(&self, op: Op, call: Invocation) -> Result<T, StoreError> {
        let answer = self.ask(op, &Request::Script(call)).await?;
        from_redis_value(answer).map_err(|error| {
            tracing::error!(op = op.label(), "unexpected answer of the store: {error}");
            StoreError::Unexpected
        })
    }

    /// Sends a request within the deadline, if the store is up, and records what came of it.
    async fn ask(&self, op: Op, request: &Request) -> Result<Value, StoreError> {
        // A lost store is asked by pings alone.
        if op != Op::Ping && !self.0.health.is_up() {
            return Err(StoreError::Down);
        }
        let Ok(_place) = self.0.in_flight.try_acquire() else {
            return Err(StoreError::Overloaded);
        };
        let started = Instant::now();
        let answer = self.within_deadline(request).await;
        match &answer {
            Ok(_) => self.0.health.succeeded(),
            Err(error) if error.is_outage() => self.0.health.failed(*error),
            Err(_) => {}
        }
        let label = answer.as_ref().map_or_else(|error| error.label(), |_| "ok");
        (self.0.observer)(op, label, started.elapsed());
        answer
    }

    async fn within_deadline(&self, request: &Request) -> Result<Value, StoreError> {
        let mut refusal = None;
        let carried_out = self.until_carried_out(request, &mut refusal);
        match timeout(self.0.deadline, carried_out).await {
            Ok(answer) => answer,
            Err(_) => Err(refusal.unwrap_or_else(|| {
                self.0.link.unanswered();
                StoreError::Timeout
            })),
        }
    }

    async fn until_carried_out(
        &self,
        request: &Request,
        refusal: &mut Option<StoreError>,
    ) -> Result<Value, StoreError> {
        loop {
            let (mut connection, serial) = self.0.link.get().await?;
            let error = match send(&mut connection, request).await {
                Ok(answer) => {
                    self.0.link.answered();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let meaning = self.hear(&error);
            if breaks_connection(meaning) {
                self.0.link.discard(serial);
            }
            if !not_carried_out(meaning) {
                return Err(meaning);
            }
            *refusal = Some(meaning);
            sleep(AGAIN_AFTER).await;
        }
    }

    /// What an error means; the server's own words are logged once.
    fn hear(&self, error: &RedisError) -> StoreError {
        let meaning = classify(error);
        self.0.health.heard(meaning, error);
        meaning
    }
}

/// Sends once, or twice when the server does not know the script yet: not knowing is no failure.
async fn send(connection: &mut Connection, request: &Request) -> Result<Value, RedisError> {
    let call = match request {
        Request::Command(command) => return checked(connection.req_packed_command(command).await),
        Request::Script(call) => call,
    };
    match checked(connection.req_packed_command(call.by_hash()).await) {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            checked(connection.req_packed_command(&call.by_text()).await)
        }
        answer => answer,
    }
}

/// The library hands some of a server's errors over as answers.
fn checked(answer: Result<Value, RedisError>) -> Result<Value, RedisError> {
    answer.and_then(Value::extract_error)
}

fn described(call: Invocation, spec: &BucketSpec) -> Invocation {
    call.arg(spec.capacity())
        .arg(spec.refill().tokens())
        .arg(spec.refill().per().get())
}
