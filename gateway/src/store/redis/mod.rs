//! The shared store: every decision is one script on one key of a Redis server.
//!
//! Guarantees: no call outlasts the configured deadline, connecting included; no more than [`MOST_IN_FLIGHT`] are under way on one
//! handle; while the store is down none is sent. What the server says it did not carry out (a script it does not know, a key on the
//! move, a replica in a master's place, data still loading) is sent again within the deadline; what may have been carried out never
//! is. Must not: check a connection out for each call: one held connection carries them all, pipelined, where a pool would add a
//! `PING` to each.

mod cache;
mod api_keys;
mod call;
mod circuit;
mod classify;
mod connect;
mod events;
mod keys;
mod link;
mod reports;
mod script;
mod url;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::cmd;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::call::Request;
use self::connect::Factory;
pub use self::connect::OpenError;
pub(super) use self::events::Listener;
use self::keys::Keys;
use self::link::Link;
use self::script::{Invocation, Script, script};
use self::windows::taken;
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

    fn keys(&self) -> &Keys {
        &self.0.keys
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

    async fn look(&self, bucket: &BucketId, spec: &BucketSpec) -> Result<Taken, StoreError> {
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
        self.run(op, described(call, spec)).await.map(taken)
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

fn described(call: Invocation, spec: &BucketSpec) -> Invocation {
    call.arg(spec.capacity())
        .arg(spec.refill().tokens())
        .arg(spec.refill().per().get())
}
