//! What is told of a request to a collector of traces, in OpenTelemetry's semantic conventions (HTTP spans 1.23 and later, database spans).
//!
//! Guarantees: nothing here runs for a request whose spans are not kept. Must not: tell a query, a header or a body.

use std::borrow::Cow;

use tokio::time::Instant;

use super::record::{Context, OTHER, method_label};
use super::route::Route;
use crate::store::Store;
use crate::telemetry::traces::{KeyValue, Told};
use crate::upstream::{AttemptError, Endpoint, Received};

/// The request's own span.
pub(super) fn request(
    context: &Context,
    route: Option<&Route>,
    status: u16,
    decision: &'static str,
) -> Told {
    let (method, mut attributes) = method(context);
    attributes.extend([
        KeyValue::new("http.response.status_code", i64::from(status)),
        KeyValue::new("url.path", context.uri.path().to_owned()),
        KeyValue::new("url.scheme", context.scheme),
        KeyValue::new("network.protocol.version", version(context.protocol)),
        KeyValue::new("client.address", context.client.to_string()),
        KeyValue::new("gateway.decision", decision),
    ]);
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
        None => method.to_owned(),
    };
    if let Some(upstream) = &context.upstream {
        attributes.push(KeyValue::new("gateway.upstream", upstream.to_string()));
    }
    // A refusal by a limit is the client's doing: only a server's error is an error here.
    let error = (status >= 500).then_some(Cow::Borrowed(""));
    if error.is_some() {
        attributes.push(KeyValue::new("error.type", status.to_string()));
    }
    Told {
        name: name.into(),
        begun: context.started,
        attributes,
        error,
    }
}

/// The method as a span's name has it, and as attributes: what a client makes up is `_OTHER`, and no name for a span.
fn method(context: &Context) -> (&'static str, Vec<KeyValue>) {
    let label = method_label(&context.method);
    let mut attributes = vec![KeyValue::new("http.request.method", label)];
    if label != OTHER {
        return (label, attributes);
    }
    let original = context.method.as_str().to_owned();
    attributes.push(KeyValue::new("http.request.method_original", original));
    ("HTTP", attributes)
}

/// Where an attempt goes, without its query.
pub(super) fn url(endpoint: &Endpoint, path: &str) -> String {
    format!("{}://{}{path}", endpoint.scheme(), endpoint.authority())
}

/// One attempt at an endpoint, to `url`.
pub(super) fn attempt(
    context: &Context,
    endpoint: &Endpoint,
    url: String,
    begun: Instant,
    result: &Result<Received, AttemptError>,
) -> Told {
    let authority = endpoint.authority();
    let port = authority.port_u16().unwrap_or(endpoint.default_port());
    let host = authority.host().trim_matches(['[', ']']);
    let (name, mut attributes) = method(context);
    attributes.extend([
        KeyValue::new("server.address", host.to_owned()),
        KeyValue::new("server.port", i64::from(port)),
        KeyValue::new("url.full", url),
    ]);
    if let Some(address) = endpoint.address() {
        let address = address.ip().to_string();
        attributes.push(KeyValue::new("network.peer.address", address));
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
            let failed = (status >= 400).then(|| status.to_string());
            failed.map(|status| (status, ""))
        }
        Err(error) => Some((error.label().to_owned(), error.label())),
    };
    let error = error.map(|(kind, description)| {
        attributes.push(KeyValue::new("error.type", kind));
        Cow::Borrowed(description)
    });
    Told {
        name: name.into(),
        begun,
        attributes,
        error,
    }
}

/// One question to the store, such as `take` for a limit.
pub(super) fn store(
    store: &Store,
    operation: &'static str,
    about: &str,
    begun: Instant,
    answered: bool,
) -> Told {
    let attributes = vec![
        KeyValue::new("db.system.name", store.system()),
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
