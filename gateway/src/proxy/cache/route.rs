//! What a route keeps, ready for requests. Resolved once on each worker.

use std::rc::Rc;
use std::sync::Arc;

use http::header::HOST;
use http::request::Parts as Head;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Wish;
use super::status::{self, Outcome};
use crate::cache::{Cache, Class, Tag};
use crate::policy::cacheability::{Asked, Digest, Directives, KeySpec, Target};
use crate::policy::ids::RouteName;
use crate::proxy::settings::{CacheSettings, RouteSettings};
use crate::store::Store;
use crate::telemetry::Counter;
use crate::telemetry::metrics::Metrics;

/// `Cache-Status` (RFC 9211).
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What all routes of a worker keep together.
#[derive(Debug)]
pub(in crate::proxy) struct Kept {
    pub(super) cache: Arc<Cache>,
    /// The tier of the fleet, if there is one.
    pub(super) store: Option<Store>,
    /// Every way in which routes make keys: a target that changed is purged under each.
    pub(super) keys: Vec<KeySpec>,
    /// This cache's name in `Cache-Status`.
    name: String,
}

/// A route's part in it.
#[derive(Debug)]
pub(in crate::proxy) struct RouteCache {
    pub(super) kept: Rc<Kept>,
    /// What it answers from what is kept; none if it only purges.
    pub(super) reads: Option<Reads>,
    /// What a successful write purges.
    pub(super) purges: Vec<Tag>,
}

/// A route whose answers are kept.
#[derive(Debug)]
pub(super) struct Reads {
    pub(super) settings: CacheSettings,
    pub(super) class: Class,
    results: [Arc<Counter>; Outcome::ALL.len()],
}

impl Kept {
    /// What `routes` keep together; none if they keep nothing.
    pub(in crate::proxy) fn new(
        cache: &Arc<Cache>,
        store: Option<Store>,
        routes: &[RouteSettings],
        hop: &str,
    ) -> Option<Rc<Self>> {
        let keys = routes.iter().filter_map(|route| route.cache.as_ref());
        let mut keys: Vec<_> = keys.map(|cache| cache.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        (!keys.is_empty()).then(|| {
            Rc::new(Self {
                cache: Arc::clone(cache),
                store,
                keys,
                name: status::name(hop),
            })
        })
    }
}

impl RouteCache {
    /// The part of one route.
    pub(in crate::proxy) fn new(kept: &Rc<Kept>, route: &RouteSettings, metrics: &Metrics) -> Self {
        let tag = |name: &String| kept.cache.tag(name);
        let reads = route.cache.as_ref();
        Self {
            reads: reads.map(|settings| Reads::new(kept, &route.name, settings, metrics)),
            purges: route.purge.iter().filter_map(tag).collect(),
            kept: Rc::clone(kept),
        }
    }

    /// Says what was done, after what caches nearer to the origin said.
    pub(super) fn status(&self, headers: &mut HeaderMap, said: &str) {
        if let Ok(value) = HeaderValue::try_from([&self.kept.name, "; ", said].concat()) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

impl Reads {
    fn new(kept: &Kept, route: &RouteName, settings: &CacheSettings, metrics: &Metrics) -> Self {
        let own = format!("route:{route}");
        let tags = settings.tags.iter().chain([&own]);
        let class = Class {
            fields: settings.fields.clone().into(),
            tags: tags.filter_map(|name| kept.cache.tag(name)).collect(),
            variants: settings.variants,
        };
        let results =
            Outcome::ALL.map(|one| metrics.cache.requests.with(&[route.as_str(), one.label()]));
        Self {
            settings: settings.clone(),
            class,
            results,
        }
    }

    pub(super) fn count(&self, outcome: Outcome) {
        if let Some(counter) = self.results.get(outcome as usize) {
            counter.inc();
        }
    }

    /// `is_guarded`: who asked was let in by what they showed, which may have been taken off since.
    pub(super) fn wish(&self, scheme: &str, head: &Head, is_guarded: bool) -> Wish {
        let directives = if self.settings.obey_clients {
            Directives::of_request(&head.headers)
        } else {
            Directives::default()
        };
        let mut asked = Asked::of(&head.headers, &directives);
        asked.authorized |= is_guarded;
        Wish {
            target: key(&self.settings.key, scheme, head),
            personal: asked.authorized && !self.settings.rules.ignore_authorization,
            directives,
            asked,
        }
    }
}

/// The host a request is for: an absolute target's, else the field's (RFC 9112, section 3.2.2).
pub(super) fn host(head: &Head) -> &str {
    let field = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let target = head.uri.authority().map(Authority::as_str);
    target.or(field).unwrap_or_default()
}

/// The key of a request's target.
pub(super) fn key(spec: &KeySpec, scheme: &str, head: &Head) -> Digest {
    spec.key(&Target {
        scheme,
        host: host(head),
        path: head.uri.path(),
        query: head.uri.query(),
    })
}
