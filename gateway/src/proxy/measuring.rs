//! Steps of a request's way by themselves, for the benchmark that counts what each costs. Must not: be compiled into the program, or do
//! anything that the request path does not.

use std::net::IpAddr;

use http::HeaderMap;
use http::request::Parts as Head;
use ipnet::IpNet;

use super::identify::Identify;
use super::limit::Limits;
use super::record::RouteMetrics;
use super::route::{Found, Route, RouteError, RouteTable, Target};
use super::settings::{IdentitySettings, RouteSettings};
use crate::policy::ids::ClientId;
use crate::telemetry::metrics::Metrics;

/// Routes to choose from.
#[derive(Debug)]
pub struct Routes(RouteTable);

impl Routes {
    /// So many routes, `/api/v1/service-N/…` counted from 0, each of which takes all but `…` off the path.
    ///
    /// # Errors
    /// None that is known: every path is a pattern.
    pub fn new(count: usize) -> Result<Self, RouteError> {
        let metrics = Metrics::new();
        let routes = (0..count).map(|number| {
            let settings = RouteSettings {
                name: format!("service-{number}").as_str().into(),
                path: format!("/api/v1/service-{number}/{{*path}}"),
                rewrite: Some("/{path}".to_owned()),
                ..RouteSettings::default()
            };
            let series = RouteMetrics::new(&metrics, &settings.name);
            Route::new(
                settings,
                Target::Forward { upstream: 0 },
                Limits::none(),
                series,
            )
        });
        Ok(Self(RouteTable::new(routes.collect::<Result<_, _>>()?)))
    }

    /// Whether one takes a request, and has another path for it.
    #[must_use]
    pub fn take(&self, head: &Head) -> bool {
        matches!(self.0.find(head), Found::Route(taken) if taken.path.is_some())
    }
}

/// The rules of identity.
#[derive(Debug)]
pub struct Clients(Identify);

impl Clients {
    /// Rules that believe what proxies of the `trusted` networks say.
    #[must_use]
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self(Identify::new(&IdentitySettings {
            trusted_proxies: trusted,
            ipv6_prefix: 64,
        }))
    }

    /// Whom limits count for a request from `peer`.
    #[must_use]
    pub fn of(&self, peer: IpAddr, headers: &HeaderMap) -> ClientId {
        self.0.client(self.0.address(peer, headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_by_itself_decides_what_it_decides_on_the_way() {
        let routes = Routes::new(100).unwrap();
        for (path, taken) in [
            ("/api/v1/service-57/items/7", true),
            ("/api/v1/service-100/items/7", false),
        ] {
            let request = http::Request::get(path).body(()).unwrap();
            assert_eq!(routes.take(&request.into_parts().0), taken, "{path}");
        }
        let clients = Clients::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let request = http::Request::get("/").header("X-Forwarded-For", "203.0.113.9, 10.0.0.7");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let client = |peer: [u8; 4]| clients.of(peer.into(), &head.headers);
        assert_eq!(client([10, 0, 0, 1]).to_string(), "203.0.113.9");
        assert_eq!(client([192, 0, 2, 1]).to_string(), "192.0.2.1");
    }
}
