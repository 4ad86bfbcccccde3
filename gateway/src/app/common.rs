//! What every thread of one gateway has a handle on, and how each thread makes its own from it.

use std::rc::Rc;
use std::sync::Arc;

use super::reload::seconds;
use super::{EMBEDDED_BUCKETS, Given, endpoints, observe, replica};
use crate::admin::Board;
use crate::admin::in_force::InForce;
use crate::breaker::Breaker;
use crate::cache::Cache;
use crate::config::Config;
use crate::limiter::{Limiter, Shared};
use crate::policy::ids::ReplicaId;
use crate::proxy::{self, Parts, Proxy};
use crate::server::drain::Drain;
use crate::store::{Health, OpenError, Store};
use crate::telemetry::access::AccessLog;
use crate::telemetry::logs::{self, Level, Writer};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::settings::LogFormat;
use crate::telemetry::traces::{Queue, Tracer};
use crate::upstream::Directory;

/// Handles; a clone for each thread, and another for each configuration.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) config: Arc<Config>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    /// The store of a gateway that shares with nobody, or with those in this process.
    embedded: Store,
    pub(super) limiter: Arc<Shared>,
    pub(super) cache: Arc<Cache>,
    /// Whether the embedded store is others' too.
    has_company: bool,
    pub(super) breaker: Arc<Breaker>,
    pub(super) proxies: Arc<proxy::Shared>,
    pub(super) directory: Arc<Directory>,
    pub(super) replica: ReplicaId,
    pub(super) drain: Drain,
    pub(super) board: Arc<Board>,
    pub(super) in_force: Arc<InForce>,
    pub(super) level: Option<Level>,
    access: Option<(Writer, LogFormat)>,
}

impl Common {
    pub(super) fn new(config: Config, given: &Given, metrics: Arc<Metrics>) -> Self {
        let replica = replica::new(&config.proxy.hop);
        let limiter = Shared::new(Store::memory(EMBEDDED_BUCKETS));
        observe::limits(&metrics, Arc::clone(&limiter));
        let cache = Cache::new(config.cache.clone());
        observe::cache(&metrics, cache.usage());
        let in_force = Arc::new(InForce::default());
        in_force.set(|view| {
            config.effective().clone_into(&mut view.toml);
            view.loaded_at = logs::unix_millis();
            metrics
                .process
                .config_loaded_at
                .set(seconds(view.loaded_at));
        });
        let board = Board::new();
        let breaker = observe::breaker(&config, &replica, &metrics, &board);
        let directory = endpoints::directory(&config, &metrics, &board);
        let proxies = proxy::Shared::new(&config.proxy, &config.upstreams);
        Self {
            health: Arc::new(Health::new(config.store.failures)),
            embedded: given
                .embedded
                .clone()
                .unwrap_or_else(|| Store::memory(EMBEDDED_BUCKETS)),
            proxies,
            config: Arc::new(config),
            drain: Drain::new(),
            board,
            in_force,
            level: given.level.clone(),
            access: given.access.clone(),
            metrics,
            limiter,
            cache,
            has_company: given.embedded.is_some(),
            breaker,
            directory,
            replica,
        }
    }

    /// A store handle for the calling thread.
    pub(super) fn store(&self) -> Result<Store, OpenError> {
        match &self.config.store.url {
            None => Ok(self.embedded.clone()),
            Some(url) => {
                let observer = observe::store(&self.metrics);
                Store::redis(url, &self.config.store, Arc::clone(&self.health), observer)
            }
        }
    }

    /// Whether there is a fleet that keeps answers together.
    pub(super) fn shares_answers(&self) -> bool {
        let is_fleet = self.has_company || self.config.store.url.is_some();
        let mut routes = self.config.proxy.routes.iter();
        self.config.cache.shared && is_fleet && routes.any(|route| route.cache.is_some())
    }

    /// A handle on the fleet's kept answers, if it keeps any: with a connection of its own, so that no decision waits behind an answer.
    fn answers(&self) -> Result<Option<Store>, OpenError> {
        self.shares_answers().then(|| self.store()).transpose()
    }

    /// Where replicas meet, for people.
    pub(super) fn store_name(&self) -> String {
        let url = self.config.store.url.as_ref();
        url.map_or_else(|| "embedded".to_owned(), ToString::to_string)
    }

    /// The same gateway with another configuration: what stays as it was is shared, and nothing is changed yet.
    pub(super) fn renewed(&self, config: Config) -> Self {
        let circuits = config.upstreams.iter();
        let circuits = circuits.map(|one| (one.name.clone(), one.circuit.clone()));
        Self {
            breaker: Arc::new(self.breaker.renewed(circuits.collect())),
            directory: self.directory.renewed(&config.upstreams),
            proxies: self.proxies.renewed(&config.proxy, &config.upstreams),
            cache: self.cache.renewed(&config.cache),
            config: Arc::new(config),
            ..self.clone()
        }
    }

    /// The first proxy of worker `index`, made on its thread. Spans of its requests go to `traces`, if anywhere.
    pub(super) fn proxy(&self, index: usize, traces: Option<Queue>) -> std::io::Result<Rc<Proxy>> {
        let store = self.store().map_err(std::io::Error::other)?;
        let limits = self.config.limits.clone();
        let limiter = Limiter::new(store.clone(), limits, Arc::clone(&self.limiter));
        let tracer = Tracer::new(&self.config.traces, traces);
        self.proxy_of(index, store, limiter, tracer, None)
    }

    /// A proxy in place of `before`, made on the same thread with what that one holds. On failure its limits have to be put back.
    pub(super) fn proxy_after(
        &self,
        index: usize,
        before: &Rc<Proxy>,
    ) -> std::io::Result<Rc<Proxy>> {
        let limiter = before.limiter().clone();
        limiter.replace(self.config.limits.clone());
        let tracer = before.tracer().renewed(&self.config.traces);
        let store = before.store().clone();
        self.proxy_of(index, store, limiter, tracer, Some(Rc::clone(before)))
    }

    fn proxy_of(
        &self,
        index: usize,
        store: Store,
        limiter: Limiter,
        tracer: Tracer,
        before: Option<Rc<Proxy>>,
    ) -> std::io::Result<Rc<Proxy>> {
        let answers = self.answers().map_err(std::io::Error::other)?;
        let log = &self.config.log;
        let access = self.access.clone().filter(|_| log.access);
        let parts = Parts {
            index,
            limiter,
            store,
            cache: (Arc::clone(&self.cache), answers),
            before,
            breaker: Arc::clone(&self.breaker),
            shared: Arc::clone(&self.proxies),
            directory: Arc::clone(&self.directory),
            metrics: Arc::clone(&self.metrics),
            tracer,
            access: access
                .map(|(writer, format)| AccessLog::new(writer, format, log.lines.clone())),
            serve_metrics: self.config.server.metrics,
        };
        let proxy = Proxy::new(&self.config.proxy, &self.config.upstreams, parts);
        proxy.map(Rc::new).map_err(std::io::Error::other)
    }
}

impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common")
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}
