//! The embedded store: every decision in this process, for gateways that share nothing but it.
//!
//! Guarantees: the same answers as the shared store, from the same `policy` functions; it never waits. Must not: survive the
//! process, or be mistaken for a limit shared between machines.

mod buckets;
mod cache;
mod circuit;
mod clock;
mod keys;
mod limits;
mod replicas;
mod reports;

use std::sync::Arc;

use tokio::sync::broadcast;

use self::cache::Cache;
use self::circuit::Circuits;
use self::clock::Clock;
use self::keys::ApiKeys;
use self::limits::Limits;
use self::replicas::Replicas;
use self::reports::Reports;
use super::api_key::{KeyHash, KeyRecord};
use super::cache::{Keep, Recall, Recalled, VariantId};
use super::event::Event;
use super::{Fleet, StoreError};
use crate::policy::cacheability::Digest;
use crate::policy::circuit::{CircuitSpec, Command, View};
use crate::policy::ids::{ReplicaId, UpstreamName};
use crate::policy::units::Micros;

/// Events a slow listener may fall behind before it is told to look for itself.
const BACKLOG: usize = 1_024;

/// A handle on the embedded store; clones share it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    limits: Limits,
    circuits: Circuits,
    replicas: Replicas,
    reports: Reports,
    cache: Cache,
    api_keys: ApiKeys,
    events: broadcast::Sender<Event>,
}

impl Memory {
    /// An empty store that holds about `most_buckets` buckets at a time.
    #[must_use]
    pub fn new(most_buckets: usize) -> Self {
        Self(Arc::new(Inner {
            clock: Clock::start(),
            limits: Limits::new(most_buckets),
            circuits: Circuits::default(),
            replicas: Replicas::default(),
            reports: Reports::default(),
            cache: Cache::default(),
            api_keys: ApiKeys::default(),
            events: broadcast::Sender::new(BACKLOG),
        }))
    }

    pub(super) fn circuit(
        &self,
        upstream: &UpstreamName,
        spec: &CircuitSpec,
        command: &Command,
    ) -> View {
        let now = self.0.clock.now();
        let told = self.0.circuits.apply(upstream, spec, command, now);
        if told.is_news {
            self.publish(&Event::Circuit {
                upstream: upstream.clone(),
                epoch: told.view.epoch,
            });
        }
        told.view
    }

    pub(super) fn heartbeat(&self, replica: &ReplicaId, lifetime: Micros) -> Fleet {
        self.0
            .replicas
            .heartbeat(replica, lifetime, self.0.clock.now())
    }

    pub(super) fn leave(&self, replica: &ReplicaId) {
        self.0.replicas.leave(replica);
        self.0.reports.remove(replica);
    }

    pub(super) fn report(&self, replica: &ReplicaId, text: &str, lifetime: Micros) {
        let now = self.0.clock.now();
        self.0.reports.put(replica, text, now.after(lifetime), now);
    }

    pub(super) fn reports(&self) -> Vec<(ReplicaId, String)> {
        self.0.reports.all(self.0.clock.now())
    }

    pub(super) fn recall(&self, recall: &Recall<'_>) -> Recalled {
        self.0.cache.recall(recall, self.0.clock.now())
    }

    pub(super) fn keep(&self, keep: &Keep<'_>) -> bool {
        self.0.cache.keep(keep, self.0.clock.now())
    }

    pub(super) fn end_turn(&self, id: &VariantId, holder: u64, pass: Micros) {
        self.0.cache.end_turn(id, holder, pass, self.0.clock.now());
    }

    pub(super) fn purge_target(&self, target: &Digest) {
        self.0.cache.purge_target(target, self.0.clock.now());
        self.publish(&Event::TargetPurged { target: *target });
    }

    pub(super) fn purge_tag(&self, tag: &str) -> u64 {
        let generation = self.0.cache.purge_tag(tag, self.0.clock.now());
        self.publish(&Event::TagPurged {
            tag: tag.to_owned(),
            generation,
        });
        generation
    }

    pub(super) fn tags(&self) -> Vec<(String, u64)> {
        self.0.cache.tags()
    }

    pub(super) fn recognise(&self, hash: &KeyHash) -> Option<KeyRecord> {
        self.0.api_keys.recognise(hash)
    }

    pub(super) fn enroll(&self, hash: &KeyHash, record: &KeyRecord) -> Result<(), StoreError> {
        self.0.api_keys.enroll(hash, record)
    }

    pub(super) fn revoke(&self, hash: &KeyHash) -> bool {
        self.0.api_keys.revoke(hash)
    }

    pub(super) fn publish(&self, event: &Event) {
        // An error says that nobody listens, which is nobody's loss.
        let _ = self.0.events.send(event.clone());
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }
}
