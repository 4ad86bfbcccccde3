//! Which route a request takes.
//!
//! Guarantees: a route takes a request when its hosts, path, headers and methods all do; of several, the one with the most
//! specific host, then the most specific path, then the most headers, then the one written first. A look-up costs the same
//! with ten thousand routes as with ten. Must not: do I/O, or look at a body.

mod hosts;
mod rewrite;
mod tree;

use std::rc::Rc;

use http::request::Parts as Head;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method};

use rewrite::Rewrite;

use super::cache::RouteCache;
pub(super) use hosts::{asked as asked_host, name as host_name};

use self::hosts::Hosts;
use self::tree::Tree;
use super::answer::{Answer, Answers};
use super::authorize::Guard;
use super::compress::Compression;
use super::cors::{self, Cors};
use super::edits::Edits;
use super::hedge::Hedges;
use super::limit::Limits;
use super::mirror::Mirror;
use super::record::RouteMetrics;
use super::redirect::Redirect;
use super::retry::Retries;
use super::settings::{Pattern, RouteSettings};
use super::split::Split;

/// One route, ready to be followed.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) settings: RouteSettings,
    pub(super) target: Target,
    /// Who is let in; none: everybody.
    pub(super) guard: Option<Guard>,
    pub(super) limits: Limits,
    pub(super) metrics: RouteMetrics,
    pub(super) answers: Answers,
    /// What it keeps and purges; none where no route keeps anything.
    pub(super) cache: Option<RouteCache>,
    /// None where there is never more than one attempt.
    pub(super) retries: Option<Retries>,
    /// None where attempts are made one after another.
    pub(super) hedges: Option<Hedges>,
    /// Where requests that came unencrypted are sent instead.
    pub(super) https: Option<Redirect>,
    pub(super) request_headers: Option<Edits>,
    pub(super) response_headers: Option<Edits>,
    pub(super) mirror: Option<Mirror>,
    pub(super) cors: Option<Cors>,
    pub(super) compression: Option<Compression>,
    pattern: Pattern,
    rewrite: Option<Rewrite>,
    keeps_parameters: bool,
}

/// What a route leads to.
#[derive(Debug)]
pub(super) enum Target {
    /// An upstream, by its place among the proxy's upstreams.
    Forward { upstream: usize },
    /// One of several upstreams.
    Split(Split),
    /// An answer of the gateway's own.
    Local(Local),
    /// Elsewhere.
    Redirect(Redirect),
    /// An answer that is always the same.
    Respond(Box<Answer>),
}

/// Answers that need no upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    /// Whether the gateway is there.
    Health,
    /// The metrics exposition.
    Metrics,
}

/// A route table that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// A pattern that cannot be matched, or clashes with another.
    #[error("route `{route}`: path `{path}`: {reason}")]
    Path {
        /// The route's name.
        route: String,
        /// Its pattern.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A limit, an upstream or an auth nobody defined.
    #[error("route `{route}`: there is no {kind} `{name}`")]
    Missing {
        /// The route's name.
        route: String,
        /// `limit`, `upstream` or `auth`.
        kind: &'static str,
        /// The name that stands for nothing.
        name: String,
    },
}

/// What the table says of a request.
#[derive(Debug)]
pub(super) enum Found {
    /// The route.
    Route(Taken),
    /// Routes would take it, were it of one of these methods: `Allow`.
    MethodNotAllowed(HeaderValue),
    /// Nothing.
    None,
}

/// A route and what it makes of the path.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) route: Rc<Route>,
    /// The path to send upstream when it is not the one that came.
    pub(super) path: Option<PathAndQuery>,
    /// The values of the path's parameters, where the route speaks of them later.
    pub(super) parameters: Option<Parameters>,
    /// Whether it is a preflight, which the route's sharing answers.
    pub(super) preflight: bool,
}

/// The values of a path's parameters.
pub(super) type Parameters = Box<[Box<str>]>;

/// All routes.
#[derive(Debug)]
pub(super) struct RouteTable {
    /// Routes that name hosts, if there are any.
    hosts: Option<Box<Hosts>>,
    any: Tree,
    /// Whether any route shares with other origins.
    shares: bool,
}

impl RouteTable {
    /// A table of `routes`.
    pub(super) fn new(routes: Vec<Route>) -> Self {
        let mut hosts = Hosts::default();
        let mut any = Tree::default();
        let shares = routes.iter().any(|route| route.cors.is_some());
        for route in routes.into_iter().map(Rc::new) {
            if route.settings.hosts.is_empty() {
                any.insert(&route.pattern, Rc::clone(&route));
            }
            for host in &route.settings.hosts {
                let tree = hosts.tree(host);
                tree.insert(&route.pattern, Rc::clone(&route));
            }
        }
        any.finish();
        hosts.finish();
        Self {
            hosts: (!hosts.is_empty()).then(|| Box::new(hosts)),
            any,
            shares,
        }
    }

    /// The route for a request.
    pub(super) fn find(&self, head: &Head) -> Found {
        let mut allow = Vec::new();
        let preflight = self.shares.then(|| cors::preflight(head)).flatten();
        let mut visit = |routes: &[Rc<Route>], values: &[&str]| {
            for route in routes {
                if let Some(method) = &preflight
                    && route.would_take(head, method)
                {
                    return Some(route.taken(values, head, true));
                }
                if !route.asks_for(head) {
                    continue;
                }
                if route.answers(&head.method) {
                    return Some(route.taken(values, head, false));
                }
                allow.extend_from_slice(&route.settings.methods);
            }
            None
        };
        let path = head.uri.path();
        let hosted = self
            .hosts
            .as_ref()
            .and_then(|hosts| hosts.search(asked_host(head), |tree| tree.search(path, &mut visit)));
        match hosted.or_else(|| self.any.search(path, &mut visit)) {
            Some(taken) => Found::Route(taken),
            None if allow.is_empty() => Found::None,
            None => Found::MethodNotAllowed(allowed(&allow)),
        }
    }
}

/// `Allow`: each method once.
fn allowed(methods: &[Method]) -> HeaderValue {
    let mut names: Vec<&str> = Vec::new();
    for name in methods.iter().map(Method::as_str) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

impl Route {
    /// A route to `target`.
    ///
    /// # Errors
    /// A path that is no pattern.
    pub(super) fn new(
        settings: RouteSettings,
        target: Target,
        limits: Limits,
        metrics: RouteMetrics,
    ) -> Result<Self, RouteError> {
        let pattern = Pattern::new(&settings.path).map_err(|error| RouteError::Path {
            route: settings.name.to_string(),
            path: settings.path.clone(),
            reason: error.to_string(),
        })?;
        let names = &pattern.names;
        let strip = settings.strip_prefix.as_ref();
        let rewrite = strip.map(|prefix| Rewrite::Strip(prefix.trim_end_matches('/').len()));
        let written = settings.rewrite.as_deref();
        let made = written.map(|template| Rewrite::new(template, names));
        let request_headers = Edits::new(&settings.request_headers, names);
        let response_headers = Edits::new(&settings.response_headers, names);
        let mut edits = request_headers.iter().chain(&response_headers);
        let answers = Answers::new(&settings.answers, names);
        let speaks = match &target {
            Target::Redirect(redirect) => redirect.has_parameters(),
            Target::Respond(answer) => answer.has_parameters(),
            _ => false,
        };
        Ok(Self {
            keeps_parameters: speaks
                || answers.have_parameters()
                || limits.have_parameters()
                || edits.any(Edits::has_parameters),
            https: settings.https.map(Redirect::to_https),
            mirror: None,
            cors: settings.cors.as_ref().map(Cors::new),
            compression: settings.compression.as_ref().map(Compression::new),
            rewrite: rewrite.or(made),
            request_headers,
            response_headers,
            answers,
            pattern,
            cache: None,
            settings,
            target,
            guard: None,
            limits,
            metrics,
            retries: None,
            hedges: None,
        })
    }

    /// The same route with somebody at the door.
    pub(super) fn guarded(mut self, guard: Option<Guard>) -> Self {
        self.guard = guard;
        self
    }

    /// The route with more than one attempt.
    pub(super) fn repeating(mut self, retries: Option<Retries>, hedges: Option<Hedges>) -> Self {
        (self.retries, self.hedges) = (retries, hedges);
        self
    }

    /// The largest request body, in bytes.
    pub(super) fn max_body_bytes(&self) -> u64 {
        self.settings.max_body_bytes.unwrap_or(u64::MAX)
    }

    /// The route with copies of its requests.
    pub(super) fn mirrored(mut self, mirror: Option<Mirror>) -> Self {
        self.mirror = mirror;
        self
    }

    fn asks_for(&self, head: &Head) -> bool {
        let mut headers = self.settings.headers.iter();
        headers.all(|one| one.holds(&head.headers))
    }

    fn answers(&self, method: &Method) -> bool {
        self.settings.methods.is_empty() || self.settings.methods.contains(method)
    }

    /// Whether it shares with other origins, and would take the request that a preflight announces.
    fn would_take(&self, head: &Head, method: &Method) -> bool {
        let mut headers = self.settings.headers.iter();
        self.cors.is_some()
            && self.answers(method)
            && headers
                .all(|one| one.holds(&head.headers) || cors::announces(&head.headers, &one.name))
    }

    fn taken(self: &Rc<Self>, values: &[&str], head: &Head, preflight: bool) -> Taken {
        let rewrite = self.rewrite.as_ref();
        let kept = || values.iter().map(|value| Box::from(*value)).collect();
        Taken {
            route: Rc::clone(self),
            path: rewrite.and_then(|to| to.apply(values, &head.uri)),
            parameters: self.keeps_parameters.then(kept),
            preflight,
        }
    }
}

#[cfg(test)]
mod tests;
