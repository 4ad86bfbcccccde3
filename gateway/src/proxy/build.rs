//! From settings to a proxy: the only place that resolves names. Runs once on each worker. Must not: be needed by a request.

use std::rc::Rc;
use std::sync::Arc;

use http::Method;

use super::answer::{Answer, Answers};
use super::authorize::{Guards, Reserved, Tools};
use super::cache::{Kept, RouteCache};
use super::circuit::Guarded;
use super::forward::UpstreamMetrics;
use super::headers::Hop;
use super::hedge::Hedges;
use super::identify::Identify;
use super::limit::{Limits, Rules};
use super::local::Own;
use super::mirror::Mirror;
use super::overload::Admission;
use super::record::{Recorder, RouteMetrics};
use super::redirect::Redirect;
use super::retry::Retries;
use super::route::{Local, Route, RouteError, RouteTable, Target};
use super::settings::{Pattern, RouteSettings, Settings, TargetSettings};
use super::split::{Share, Split};
use super::{Proxy, Shared};
use crate::breaker::Breaker;
use crate::cache::Cache;
use crate::limiter::Limiter;
use crate::policy::ids::UpstreamName;
use crate::store::Store;
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Tracer;
use crate::upstream::{self, Directory, Upstream};

/// What a proxy is made with, besides its settings: the handles of its thread.
#[derive(Debug)]
pub struct Parts {
    /// The worker's number.
    pub index: usize,
    /// This thread's limiter.
    pub limiter: Limiter,
    /// This thread's store.
    pub store: Store,
    /// The process's kept answers, and the store where the fleet's are, if it has some.
    pub cache: (Arc<Cache>, Option<Store>),
    /// The process's view of the circuits.
    pub breaker: Arc<Breaker>,
    /// The process's upstreams, with who they are and how they fare.
    pub directory: Arc<Directory>,
    /// The process's metrics.
    pub metrics: Arc<Metrics>,
    /// This thread's tracer.
    pub tracer: Tracer,
    /// Where access lines go, if anywhere.
    pub access: Option<AccessLog>,
    /// The proxy this one takes the place of: what stays as it was keeps its connections.
    pub before: Option<Rc<Proxy>>,
    /// What the proxies of this process have in common.
    pub shared: Arc<Shared>,
    /// Whether the proxy's own listener answers `/metrics`.
    pub serve_metrics: bool,
}

impl Proxy {
    /// A proxy for the calling thread.
    ///
    /// # Errors
    /// A route that names what does not exist, or whose path cannot be matched.
    pub fn new(
        settings: &Settings,
        upstreams: &[upstream::settings::Settings],
        parts: Parts,
    ) -> Result<Self, RouteError> {
        let guarded = upstreams
            .iter()
            .map(|one| guard(one, &parts))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| missing("", "upstream", ""))?;
        let tools = Tools {
            store: &parts.store,
            metrics: &parts.metrics,
            upstreams: &guarded,
        };
        let guards = Guards::new(&settings.auth, &tools)?;
        let routes = routes(settings, upstreams, &guards, &parts)?;
        Ok(Self {
            routes: RouteTable::new(routes),
            answers: Answers::new(&settings.answers, &[]),
            own: Own::new(&settings.health),
            identify: Identify::new(&settings.identity),
            reserved: Reserved::new(&settings.auth),
            upstreams: guarded,
            recorder: Recorder::new(&parts.metrics, parts.access, parts.tracer),
            hop: Hop::new(&settings.hop),
            strictness: settings.strictness,
            uploads: upstream::UploadBounds {
                size: settings.strictness.max_body_bytes,
                patience: settings.strictness.body_timeout,
            },
            tunnel_idle: settings.tunnel_idle_timeout,
            limiter: parts.limiter,
            store: parts.store,
            metrics: parts.metrics,
            shared: parts.shared,
        })
    }

    /// This thread's limiter.
    #[must_use]
    pub const fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// This thread's store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// This thread's tracer.
    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        self.recorder.tracer()
    }
}

fn guard(settings: &upstream::settings::Settings, parts: &Parts) -> Option<Rc<Guarded>> {
    let circuit = parts.breaker.circuit(&settings.name)?;
    let membership = parts.directory.of(&settings.name)?;
    let known = parts.before.iter().flat_map(|before| &before.upstreams);
    let known = known
        .into_iter()
        .find(|one| one.upstream().is_of(membership));
    if let Some(same) = known.filter(|known| known.is_behind(&circuit)) {
        return Some(Rc::clone(same));
    }
    let metrics = UpstreamMetrics::new(&parts.metrics, settings.name.as_str());
    let upstream = known.map_or_else(
        || Rc::new(Upstream::new(membership, parts.index)),
        |known| Rc::clone(known.upstream()),
    );
    Some(Rc::new(Guarded::new(
        upstream,
        circuit,
        parts.store.clone(),
        metrics,
        Admission::new(&parts.shared, &parts.metrics, &settings.name),
    )))
}

fn routes(
    settings: &Settings,
    upstreams: &[upstream::settings::Settings],
    guards: &Guards,
    parts: &Parts,
) -> Result<Vec<Route>, RouteError> {
    let rules = Rules {
        limiter: &parts.limiter,
        counting: &settings.counting,
        auth: &settings.auth,
    };
    let mut routes = Vec::with_capacity(settings.routes.len() + 2);
    let (cache, store) = &parts.cache;
    let kept = Kept::new(cache, store.clone(), &settings.routes, &settings.hop);
    for route in &settings.routes {
        let target = target(route, upstreams, &parts.metrics)?;
        let limits = Limits::new(rules, route)?;
        let metrics = RouteMetrics::new(&parts.metrics, &route.name);
        let budget = parts.shared.budget(&route.name);
        let retries = budget.map(|budget| Retries::new(&parts.metrics, route, budget));
        let hedges = route
            .hedge
            .map(|settings| Hedges::new(&parts.metrics, &route.name, settings));
        let mirror = mirror(route, upstreams, &parts.metrics)?;
        let guard = guards.of(route)?;
        let mut ready = Route::new(route.clone(), target, limits, metrics)?;
        ready.cache = kept
            .as_ref()
            .map(|kept| RouteCache::new(kept, route, &parts.metrics));
        routes.push(
            ready
                .guarded(guard)
                .repeating(retries, hedges)
                .mirrored(mirror),
        );
    }
    let mut own = vec![("health", &*settings.health.path, Local::Health)];
    if parts.serve_metrics {
        own.push(("metrics", "/metrics", Local::Metrics));
    }
    // A configured route of the same path, for any host, comes first, so that users may answer these themselves.
    let taken = |path: &str| {
        let mut all = settings.routes.iter();
        all.any(|route| route.path == path && route.hosts.is_empty())
    };
    own.retain(|(_, path, _)| !taken(path));
    for (name, path, local) in own {
        let metrics = RouteMetrics::new(&parts.metrics, &name.into());
        let mut route = local_route(name, path);
        if name == "health" {
            route.limits.clone_from(&settings.health.limits);
        }
        let limits = Limits::new(rules, &route)?;
        routes.push(Route::new(route, Target::Local(local), limits, metrics)?);
    }
    Ok(routes)
}

fn mirror(
    route: &RouteSettings,
    upstreams: &[upstream::settings::Settings],
    metrics: &Metrics,
) -> Result<Option<Mirror>, RouteError> {
    let Some(settings) = &route.mirror else {
        return Ok(None);
    };
    let upstream = place(route, upstreams, &settings.upstream)?;
    let name = route.name.as_str();
    Ok(Some(Mirror::new(settings, upstream, name, metrics)))
}

/// The place of an upstream among the proxy's.
fn place(
    route: &RouteSettings,
    upstreams: &[upstream::settings::Settings],
    name: &UpstreamName,
) -> Result<usize, RouteError> {
    let found = upstreams.iter().position(|one| one.name == *name);
    found.ok_or_else(|| missing(route.name.as_str(), "upstream", name.as_str()))
}

fn target(
    route: &RouteSettings,
    upstreams: &[upstream::settings::Settings],
    metrics: &Metrics,
) -> Result<Target, RouteError> {
    let place = |name: &UpstreamName| place(route, upstreams, name);
    let names = || Pattern::new(&route.path).map_or(Vec::new(), |pattern| pattern.names);
    Ok(match &route.target {
        TargetSettings::Upstream(name) => Target::Forward {
            upstream: place(name)?,
        },
        TargetSettings::Split(split) => {
            let share = |(name, weight): &(UpstreamName, u32)| {
                let labels = [route.name.as_str(), name.as_str()];
                Ok(Share {
                    upstream: place(name)?,
                    weight: *weight,
                    requests: metrics.http.split.with(&labels),
                })
            };
            let shares: Result<Vec<_>, RouteError> = split.shares.iter().map(share).collect();
            Target::Split(Split::new(shares?, split.sticky.as_ref()))
        }
        TargetSettings::Redirect(one) => Target::Redirect(Redirect::new(one, &names())),
        TargetSettings::Respond(one) => Target::Respond(Box::new(Answer::new(one, &names()))),
    })
}

fn local_route(name: &str, path: &str) -> RouteSettings {
    RouteSettings {
        name: name.into(),
        path: path.to_owned(),
        methods: vec![Method::GET, Method::HEAD],
        ..RouteSettings::default()
    }
}

fn missing(route: &str, kind: &'static str, name: &str) -> RouteError {
    RouteError::Missing {
        route: route.to_owned(),
        kind,
        name: name.to_owned(),
    }
}
