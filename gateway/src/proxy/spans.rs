//! What is told of a request to a collector of traces, in OpenTelemetry's semantic conventions (HTTP spans 1.23 and later, database spans).
//!
//! Guarantees: nothing here runs for a request whose spans are not kept. Must not: tell a query, a header or a body.

use tokio::time::Instant;

use super::record::Context;
use super::route::Route;
use crate::telemetry::traces::{KeyValue, Told};
use crate::upstream::{AttemptError, Endpoint, Received};

/// The request's own span.
pub(super) fn request(
    context: &Context,
    route: Option<&Route>,
    status: u16,
    decision: &'static str,
) -> Told {
    let method = context.method.as_str().to_owned();
    let mut attributes = vec![
        KeyValue::new("http.request.method", method.clone()),
        KeyValue::new("http.response.status_code", i64::from(status)),
        KeyValue::new("url.path", context.uri.path().to_owned()),
        KeyValue::new("url.scheme", context.scheme),
        KeyValue::new("network.protocol.version", version(context.protocol)),
        KeyValue::new("client.address", context.client.to_string()),
        KeyValue::new("gateway.decision", decision),
    ];
    let name = match route {
        Some(route) => {
            let pattern = route.settings.path.clone();
            let name = format!("{method} {pattern}");
            attributes.push(KeyValue::new("http.route", pattern));
            attributes.push(KeyValue::new(
                "gateway.route",
                route.settings.name.to_string(),
            ));
            name
        }
        None => method,
    };
    if let Some(upstream) = &context.upstream {
        attributes.push(KeyValue::new("gateway.upstream", upstream.to_string()));
    }
    // A refusal by a limit is the client's doing: only a server's error is an error here.
    let error = (status >= 500).then(|| status.to_string());
    if let Some(error) = &error {
        attributes.push(KeyValue::new("error.type", error.clone()));
    }
    Told {
        name: name.into(),
        begun: context.started,
        attributes,
        error: error.map(Into::into),
    }
}

/// One attempt at an endpoint.
pub(super) fn attempt(
    context: &Context,
    endpoint: &Endpoint,
    begun: Instant,
    result: &Result<Received, AttemptError>,
) -> Told {
    let authority = endpoint.authority();
    let mut attributes = vec![
        KeyValue::new("http.request.method", context.method.as_str().to_owned()),
        KeyValue::new("server.address", authority.host().to_owned()),
    ];
    if let Some(port) = authority.port_u16() {
        attributes.push(KeyValue::new("server.port", i64::from(port)));
    }
    if context.attempts > 1 {
        let resent = i64::from(context.attempts) - 1;
        attributes.push(KeyValue::new("http.request.resend_count", resent));
    }
    let error = match result {
        Ok(response) => {
            let status = response.status().as_u16();
            attributes.push(KeyValue::new(
                "http.response.status_code",
                i64::from(status),
            ));
            (status >= 400).then(|| status.to_string())
        }
        Err(error) => Some(error.label().to_owned()),
    };
    if let Some(error) = &error {
        attributes.push(KeyValue::new("error.type", error.clone()));
    }
    Told {
        name: context.method.as_str().to_owned().into(),
        begun,
        attributes,
        error: error.map(Into::into),
    }
}

/// One question to the store, such as `take` for a limit.
pub(super) fn store(operation: &'static str, about: &str, begun: Instant, answered: bool) -> Told {
    let attributes = vec![
        KeyValue::new("db.system.name", "redis"),
        KeyValue::new("db.operation.name", operation),
        KeyValue::new("gateway.store.about", about.to_owned()),
    ];
    Told {
        name: operation.into(),
        begun,
        attributes,
        error: (!answered).then_some("unanswered".into()),
    }
}

/// `HTTP/1.1` without its name.
fn version(protocol: &'static str) -> &'static str {
    protocol
        .split_once('/')
        .map_or(protocol, |(_, version)| version)
}
