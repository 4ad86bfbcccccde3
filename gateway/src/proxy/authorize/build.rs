//! From settings to guards. Runs once on each worker. Must not: be needed by a request.

use std::rc::Rc;
use std::sync::Arc;

use super::addresses::Addresses;
use super::api_keys::ApiKeys;
use super::basic::Basic;
use super::challenge::challenge;
use super::external::External;
use super::identity::Maker;
use super::jwt::Jwt;
use super::{Counted, Counts, Credentials, Guard};
use crate::proxy::circuit::Guarded;
use crate::proxy::route::RouteError;
use crate::proxy::settings::{AuthKind, AuthSettings, RouteSettings};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// What guards are made with.
pub(in crate::proxy) struct Tools<'a> {
    pub(in crate::proxy) store: &'a Store,
    pub(in crate::proxy) metrics: &'a Metrics,
    pub(in crate::proxy) upstreams: &'a [Rc<Guarded>],
}

/// Every way there is, shared by the routes that name it.
pub(in crate::proxy) struct Guards(Vec<(Arc<str>, Way)>);

enum Way {
    Addresses(Rc<Counted<Addresses>>),
    Credentials(Rc<Counted<Credentials>>),
    External(Rc<Counted<External>>),
}

impl Guards {
    pub(in crate::proxy) fn new(
        settings: &[AuthSettings],
        tools: &Tools<'_>,
    ) -> Result<Self, RouteError> {
        let built = settings
            .iter()
            .map(|one| Ok((Arc::clone(&one.name), way(one, tools)?)));
        built.collect::<Result<_, _>>().map(Self)
    }

    /// What stands before a route; nothing for one that names nothing.
    pub(in crate::proxy) fn of(&self, route: &RouteSettings) -> Result<Option<Guard>, RouteError> {
        let mut guard = Guard {
            addresses: Vec::new(),
            credentials: Vec::new(),
            external: Vec::new(),
        };
        for name in &route.auth {
            let found = self.0.iter().find(|(own, _)| own == name);
            match found.map(|(_, way)| way) {
                Some(Way::Addresses(way)) => guard.addresses.push(Rc::clone(way)),
                Some(Way::Credentials(way)) => guard.credentials.push(Rc::clone(way)),
                Some(Way::External(way)) => guard.external.push(Rc::clone(way)),
                None => {
                    return Err(RouteError::Missing {
                        route: route.name.to_string(),
                        kind: "auth",
                        name: name.to_string(),
                    });
                }
            }
        }
        Ok((!route.auth.is_empty()).then_some(guard))
    }
}

fn way(settings: &AuthSettings, tools: &Tools<'_>) -> Result<Way, RouteError> {
    let maker = Maker::new(settings);
    let credentials = match &settings.kind {
        AuthKind::Addresses(lists) => {
            let counted = counted(settings, tools, Addresses::new(lists));
            return Ok(Way::Addresses(counted));
        }
        AuthKind::External(service) => {
            let upstream = tools
                .upstreams
                .iter()
                .find(|one| *one.name() == service.upstream);
            let upstream = upstream.ok_or_else(|| RouteError::Missing {
                route: settings.name.to_string(),
                kind: "upstream",
                name: service.upstream.to_string(),
            })?;
            let counted = counted(settings, tools, External::new(service, upstream));
            return Ok(Way::External(counted));
        }
        AuthKind::ApiKeys(keys) => Credentials::ApiKeys(ApiKeys::new(keys, maker, tools.store)),
        AuthKind::Jwt(jwt) => Credentials::Jwt(Jwt::new(jwt, maker)),
        AuthKind::Basic(basic) => Credentials::Basic(Basic::new(basic, &maker)),
    };
    Ok(Way::Credentials(counted(settings, tools, credentials)))
}

fn counted<T>(settings: &AuthSettings, tools: &Tools<'_>, way: T) -> Rc<Counted<T>> {
    let count = |result| {
        tools
            .metrics
            .entrance
            .auth_decisions
            .with(&[&settings.name, result])
    };
    Rc::new(Counted {
        way,
        challenge: challenge(&settings.name, &settings.kind),
        forward_credentials: settings.forward_credentials,
        counts: Counts {
            granted: count("granted"),
            missing: count("missing"),
            invalid: count("invalid"),
            denied: count("denied"),
            unavailable: count("unavailable"),
            unchecked: count("unchecked"),
        },
    })
}
