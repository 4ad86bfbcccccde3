//! Which route a request takes. Must not: do I/O, or look at anything but method and path.

mod rewrite;

use std::rc::Rc;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri};

use rewrite::Rewrite;

use super::answer::Answers;
use super::cache::RouteCache;
use super::limit::Limits;
use super::record::RouteMetrics;
use super::settings::{RetrySettings, RouteSettings};

/// One route, ready to be followed.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) settings: RouteSettings,
    pub(super) target: Target,
    pub(super) limits: Limits,
    pub(super) metrics: RouteMetrics,
    pub(super) answers: Answers,
    /// What it keeps and purges; none where no route keeps anything.
    pub(super) cache: Option<RouteCache>,
    rewrite: Option<Rewrite>,
    allow: HeaderValue,
}

/// What a route leads to.
#[derive(Debug)]
pub(super) enum Target {
    /// An upstream, by its place among the proxy's upstreams.
    Forward { upstream: usize },
    /// An answer of the gateway's own.
    Local(Local),
}

/// Answers that need no upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    /// `{"status":"healthy"}`.
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
    /// A limit or an upstream nobody defined.
    #[error("route `{route}`: there is no {kind} `{name}`")]
    Missing {
        /// The route's name.
        route: String,
        /// `limit` or `upstream`.
        kind: &'static str,
        /// The name that stands for nothing.
        name: String,
    },
}

/// What the table says of a request.
pub(super) enum Found {
    /// The route, and the path to send upstream when it is not the one that came.
    Route(Rc<Route>, Option<PathAndQuery>),
    /// The path exists, the method does not: `Allow` of what does.
    MethodNotAllowed(HeaderValue),
    /// Nothing.
    None,
}

/// All routes.
pub(super) struct RouteTable {
    paths: matchit::Router<Vec<Rc<Route>>>,
}

impl std::fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouteTable").finish_non_exhaustive()
    }
}

impl RouteTable {
    /// A table of `routes`; of two that share a pattern the earlier is asked first.
    pub(super) fn new(routes: Vec<Route>) -> Result<Self, RouteError> {
        let mut grouped: Vec<(String, Vec<Rc<Route>>)> = Vec::new();
        for route in routes.into_iter().map(Rc::new) {
            for pattern in patterns(&route.settings.path) {
                match grouped.iter_mut().find(|(known, _)| *known == pattern) {
                    Some((_, sharing)) => sharing.push(Rc::clone(&route)),
                    None => grouped.push((pattern, vec![Rc::clone(&route)])),
                }
            }
        }
        let mut paths = matchit::Router::new();
        for (pattern, sharing) in grouped {
            let name = sharing.first().map(|route| route.settings.name.to_string());
            paths
                .insert(pattern.clone(), sharing)
                .map_err(|error| RouteError::Path {
                    route: name.unwrap_or_default(),
                    path: pattern,
                    reason: error.to_string(),
                })?;
        }
        Ok(Self { paths })
    }

    /// The route for a method and a target.
    pub(super) fn find(&self, method: &Method, uri: &Uri) -> Found {
        let Ok(matched) = self.paths.at(uri.path()) else {
            return Found::None;
        };
        let accepts = |route: &&Rc<Route>| {
            route.settings.methods.is_empty() || route.settings.methods.contains(method)
        };
        match matched.value.iter().find(accepts) {
            Some(route) => {
                let path = route
                    .rewrite
                    .as_ref()
                    .and_then(|to| to.apply(&matched.params, uri));
                Found::Route(Rc::clone(route), path)
            }
            None => Found::MethodNotAllowed(allow(matched.value)),
        }
    }
}

/// `/a/{*rest}` answers `/a/` too, with nothing for `rest`: a prefix is a prefix of itself.
fn patterns(path: &str) -> Vec<String> {
    let mut patterns = vec![path.to_owned()];
    if let Some((prefix, _)) = path.rsplit_once("{*") {
        patterns.push(prefix.to_owned());
    }
    patterns
}

fn allow(sharing: &[Rc<Route>]) -> HeaderValue {
    match sharing {
        [only] => only.allow.clone(),
        several => {
            let all: Vec<_> = several
                .iter()
                .filter_map(|one| one.allow.to_str().ok())
                .collect();
            HeaderValue::from_str(&all.join(", ")).unwrap_or(HeaderValue::from_static(""))
        }
    }
}

impl Route {
    pub(super) fn new(
        settings: RouteSettings,
        target: Target,
        limits: Limits,
        metrics: RouteMetrics,
    ) -> Self {
        let methods: Vec<_> = settings.methods.iter().map(Method::as_str).collect();
        let allow = HeaderValue::from_str(&methods.join(", "));
        Self {
            rewrite: settings.rewrite.as_deref().map(Rewrite::new),
            allow: allow.unwrap_or(HeaderValue::from_static("")),
            answers: Answers::new(&settings.answers),
            cache: None,
            settings,
            target,
            limits,
            metrics,
        }
    }

    pub(super) const fn retry(&self) -> &RetrySettings {
        &self.settings.retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(
        name: &str,
        path: &str,
        rewrite: Option<&str>,
        methods: &[Method],
    ) -> RouteSettings {
        RouteSettings {
            name: name.into(),
            path: path.to_owned(),
            rewrite: rewrite.map(str::to_owned),
            methods: methods.to_vec(),
            upstream: "default".into(),
            ..RouteSettings::default()
        }
    }

    fn table(routes: Vec<RouteSettings>) -> RouteTable {
        let metrics = crate::telemetry::metrics::Metrics::new();
        let routes = routes.into_iter().map(|one| {
            let record = RouteMetrics::new(&metrics, &one.name);
            Route::new(one, Target::Forward { upstream: 0 }, Limits::none(), record)
        });
        RouteTable::new(routes.collect()).unwrap()
    }

    fn follow(table: &RouteTable, method: &Method, uri: &str) -> (String, String) {
        match table.find(method, &uri.parse().unwrap()) {
            Found::Route(route, path) => (
                route.settings.name.to_string(),
                path.map_or(String::new(), |path| path.to_string()),
            ),
            Found::MethodNotAllowed(allow) => ("405".into(), allow.to_str().unwrap().into()),
            Found::None => ("404".into(), String::new()),
        }
    }

    #[test]
    fn a_prefix_is_stripped_and_the_query_kept() {
        let table = table(vec![settings(
            "proxy",
            "/proxy/{*path}",
            Some("/{path}"),
            &[],
        )]);
        for (uri, to) in [
            ("/proxy/a/b?x=1&y=%2F", "/a/b?x=1&y=%2F"),
            ("/proxy/", "/"),
            ("/proxy/?q", "/?q"),
            ("/proxy/%2e%2e/x", "/%2e%2e/x"),
            ("/proxy//double", "//double"),
        ] {
            assert_eq!(
                follow(&table, &Method::GET, uri),
                ("proxy".into(), to.into()),
                "{uri}"
            );
        }
        assert_eq!(follow(&table, &Method::GET, "/other").0, "404");
        assert_eq!(follow(&table, &Method::GET, "/proxy").0, "404");
    }

    #[test]
    fn methods_share_a_path() {
        let table = table(vec![
            settings(
                "read",
                "/users/{id}",
                Some("/v1/users/{id}/full"),
                &[Method::GET, Method::HEAD],
            ),
            settings("write", "/users/{id}", None, &[Method::PUT]),
        ]);
        let read = ("read".to_owned(), "/v1/users/7/full?a".to_owned());
        assert_eq!(follow(&table, &Method::GET, "/users/7?a"), read);
        assert_eq!(
            follow(&table, &Method::PUT, "/users/7"),
            ("write".into(), String::new())
        );
        assert_eq!(
            follow(&table, &Method::DELETE, "/users/7"),
            ("405".into(), "GET, HEAD, PUT".into())
        );
    }
}
