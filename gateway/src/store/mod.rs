//! Floor 1a: the far side of shared state, at the height of a decision.
//!
//! Guarantees: both stores answer every question alike (`tests/store_contract.rs`); an answer comes within the deadline or an error
//! does; nothing here grows without bound. Must not: offer get and set, or know what a decision is for.

pub mod settings;
pub mod error;
pub mod event;
pub mod op;
pub mod cache;
pub mod api_key;
pub mod health;
mod limits;
mod memory;
mod redis;

use std::sync::Arc;

use tokio::sync::broadcast;

pub use self::api_key::{KeyHash, KeyRecord};
pub use self::error::StoreError;
pub use self::event::{Directive, Event};
pub use self::health::Health;
pub use self::memory::Memory;
pub use self::op::{Observer, Op};
pub use self::redis::{OpenError, Redis};
use self::settings::{Settings, StoreUrl};
use crate::policy::circuit::{CircuitSpec, Command, View};
use crate::policy::ids::{ReplicaId, UpstreamName};
use crate::policy::units::{Micros, StoreTime};

/// The longest text a replica may leave about itself.
pub const MAX_REPORT: usize = 256 * 1024;
/// Replicas whose reports are read: more than a person looks at.
pub const MOST_REPORTS: usize = 128;

/// Where replicas meet: a cheap handle, cloned freely within a thread; each thread opens its own shared one.
#[derive(Clone, Debug)]
pub enum Store {
    /// In this process alone.
    Memory(Memory),
    /// Shared.
    Redis(Redis),
}

/// The replicas that said lately that they live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// How many, the one that asked among them.
    pub live: u32,
    /// The store's time of the count.
    pub at: StoreTime,
}

impl Store {
    /// An embedded store that holds about `most_buckets` buckets at a time. Clones share it.
    ///
    /// The room is divided among 64 shards by a hash that differs from one start to the next: with a small number, which clients
    /// find a place is chance, from the second client on.
    #[must_use]
    pub fn memory(most_buckets: usize) -> Self {
        Self::Memory(Memory::new(most_buckets))
    }

    /// A handle on the shared store at `url`. Connects to nothing until the first call, which must be within a tokio runtime.
    ///
    /// # Errors
    /// The address or the file of certificate authorities cannot be used.
    pub fn redis(
        url: &StoreUrl,
        settings: &Settings,
        health: Arc<Health>,
        observer: Observer,
    ) -> Result<Self, OpenError> {
        Redis::open(url, settings, health, observer).map(Self::Redis)
    }

    /// Carries out one command to an upstream's circuit. Every replica hears of a transition, and of the first failure of a streak.
    ///
    /// # Errors
    /// No answer; the command may have been carried out all the same.
    pub async fn circuit(
        &self,
        upstream: &UpstreamName,
        spec: &CircuitSpec,
        command: &Command,
    ) -> Result<View, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.circuit(upstream, spec, command)),
            Self::Redis(redis) => redis.circuit(upstream, spec, command).await,
        }
    }

    /// Says that `replica` lives for another `lifetime`, and counts those that do.
    ///
    /// # Errors
    /// No answer.
    pub async fn heartbeat(
        &self,
        replica: &ReplicaId,
        lifetime: Micros,
    ) -> Result<Fleet, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.heartbeat(replica, lifetime)),
            Self::Redis(redis) => redis.heartbeat(replica, lifetime).await,
        }
    }

    /// Says that `replica` is going, so that the others need not wait for its lifetime to end.
    ///
    /// # Errors
    /// No answer.
    pub async fn leave(&self, replica: &ReplicaId) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.leave(replica);
                Ok(())
            }
            Self::Redis(redis) => redis.leave(replica).await,
        }
    }

    /// Keeps how `replica` fares for `lifetime`, for whoever asks; what it said before is gone. The text is its own affair, but one
    /// longer than [`MAX_REPORT`] is not kept.
    ///
    /// # Errors
    /// No answer, or a text too long.
    pub async fn report(
        &self,
        replica: &ReplicaId,
        text: &str,
        lifetime: Micros,
    ) -> Result<(), StoreError> {
        if text.len() > MAX_REPORT {
            return Err(StoreError::Unexpected);
        }
        match self {
            Self::Memory(memory) => {
                memory.report(replica, text, lifetime);
                Ok(())
            }
            Self::Redis(redis) => redis.report(replica, text, lifetime).await,
        }
    }

    /// How each replica that lives said it fares, by name; at most [`MOST_REPORTS`] of them.
    ///
    /// # Errors
    /// No answer.
    pub async fn reports(&self) -> Result<Vec<(ReplicaId, String)>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.reports()),
            Self::Redis(redis) => redis.reports().await,
        }
    }

    /// Whose an API key is, by its hash.
    ///
    /// # Errors
    /// No answer.
    pub async fn recognise(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.recognise(hash)),
            Self::Redis(redis) => redis.recognise(hash).await,
        }
    }

    /// Makes an API key known; what was known of it before is gone.
    ///
    /// # Errors
    /// It may be known or not.
    pub async fn enroll(&self, hash: &KeyHash, record: &KeyRecord) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => memory.enroll(hash, record),
            Self::Redis(redis) => redis.enroll(hash, record).await,
        }
    }

    /// Forgets an API key; whether there was one.
    ///
    /// # Errors
    /// It may be known still.
    pub async fn revoke(&self, hash: &KeyHash) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.revoke(hash)),
            Self::Redis(redis) => redis.revoke(hash).await,
        }
    }

    /// Whether the store decides: asked even while it is down, and if it answers it no longer is.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(redis) => redis.ping().await,
        }
    }

    /// Tells every replica, this one too, if it listens.
    ///
    /// # Errors
    /// Nobody may have heard.
    pub async fn publish(&self, event: &Event) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.publish(event);
                Ok(())
            }
            Self::Redis(redis) => redis.publish(event).await,
        }
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// The channel could not be opened.
    pub async fn subscribe(&self) -> Result<Events, StoreError> {
        match self {
            Self::Memory(memory) => Ok(Events::embedded(memory.subscribe())),
            Self::Redis(redis) => redis.subscribe().await.map(Events::shared),
        }
    }

    /// What it is, for a span: `redis`, or `memory` for the embedded store.
    #[must_use]
    pub const fn system(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Redis(_) => "redis",
        }
    }

    /// Whether calls are worth making: one atomic load.
    #[must_use]
    pub fn is_up(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Redis(redis) => redis.is_up(),
        }
    }
}

/// A subscription.
pub struct Events(Source);

enum Source {
    Embedded(broadcast::Receiver<Event>),
    Shared(Box<redis::Listener>),
}

impl Events {
    fn embedded(receiver: broadcast::Receiver<Event>) -> Self {
        Self(Source::Embedded(receiver))
    }

    fn shared(listener: redis::Listener) -> Self {
        Self(Source::Shared(Box::new(listener)))
    }

    /// The next event. None: the channel broke or fell behind, so something may have been missed; look, and subscribe again.
    pub async fn next(&mut self) -> Option<Event> {
        match &mut self.0 {
            Source::Embedded(receiver) => receiver.recv().await.ok(),
            Source::Shared(listener) => listener.next().await,
        }
    }
}
