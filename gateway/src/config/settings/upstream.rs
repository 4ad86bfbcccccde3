//! `[upstreams.NAME]`.

use super::super::path::KeyPath;
use super::super::problem::Origin;
use super::super::raw::{Endpoint, List, Text, Upstream};
use super::{Check, balance, circuit, concurrency, tls};
use crate::upstream::settings::{EndpointSettings, Protocol, Scheme, Settings};

/// More idle connections than a worker has file descriptors for.
const MAX_IDLE: u32 = 65_536;

/// One upstream.
pub(super) fn upstream(
    check: &mut Check<'_>,
    at: &KeyPath,
    name: &str,
    mut raw: Upstream,
) -> Option<Settings> {
    let endpoints = endpoints(check, at, raw.endpoints.take());
    let balance = balance::balance(check, at, &mut raw);
    let dns = check.set(at, "dns", raw.dns);
    let dns = dns.and_then(|raw| balance::dns(check, &at.key("dns"), raw));
    let health = check.set(at, "health", raw.health);
    let health = health.and_then(|raw| balance::health(check, &at.key("health"), raw));
    let timeout = check.timeout(at, "timeout", raw.timeout);
    let connect_timeout = check.timeout(at, "connect_timeout", raw.connect_timeout);
    let idle_timeout = check.timeout(at, "idle_timeout", raw.idle_timeout);
    let idle_connections = idle_connections(check, at, raw.idle_connections);
    let keepalive = check.timeout(at, "keepalive", raw.keepalive);
    let lifetime = check.timeout(at, "max_connection_lifetime", raw.max_connection_lifetime);
    let requests = check.set(at, "max_connection_requests", raw.max_connection_requests);
    let protocol = check.set(at, "http", raw.http);
    let protocol = protocol.and_then(|Text(one)| agrees(check, at, one, endpoints.as_deref()?));
    let host = check.set(at, "host", raw.host);
    let informational = check.set(at, "informational", raw.informational);
    let tls = check.set(at, "tls", raw.tls);
    let tls = tls.and_then(|raw| tls::tls(check, &at.key("tls"), raw, endpoints.as_deref()?));
    let failure_statuses = check.statuses(at, "failure_statuses", raw.failure_statuses);
    let grpc = check.list(at, "grpc_failure_statuses", raw.grpc_failure_statuses);
    let circuit = check.set(at, "circuit", raw.circuit);
    let circuit = circuit.and_then(|raw| circuit::circuit(check, &at.key("circuit"), raw));
    let concurrency = raw
        .concurrency
        .map(|raw| concurrency::concurrency(check, &at.key("concurrency"), raw));
    let concurrency = match concurrency {
        None => None,
        Some(concurrency) => Some(concurrency?),
    };
    Some(Settings {
        name: name.into(),
        endpoints: endpoints?,
        balance: balance?,
        dns: dns?,
        health: health?,
        timeout: timeout?,
        connect_timeout: connect_timeout?,
        idle_timeout: idle_timeout?,
        idle_connections: idle_connections?,
        keepalive: keepalive?,
        max_connection_lifetime: lifetime?,
        max_connection_requests: requests?,
        protocol: protocol?,
        informational: informational?,
        host: host.map(|Text(host)| host)?,
        tls: tls?,
        circuit: circuit?,
        concurrency,
        failure_statuses: failure_statuses?,
        grpc_failure_statuses: grpc?.into_iter().map(|(_, Text(one))| one).collect(),
    })
}

fn endpoints(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<List<Endpoint>>,
) -> Option<Vec<EndpointSettings>> {
    let path = at.key("endpoints");
    if raw.is_none() && !check.tree.is_faulty(&path) {
        return missing(check, &path);
    }
    let listed = check.list(at, "endpoints", raw)?;
    if listed.is_empty() && !check.tree.is_faulty(&path) {
        return check.problem(
            &path,
            "this is empty: write at least one, like `http://10.0.0.7:8080`",
        );
    }
    let mut endpoints: Vec<EndpointSettings> = Vec::with_capacity(listed.len());
    for (place, Endpoint { settings, weight }) in listed {
        let is_same = |one: &EndpointSettings| {
            one.authority == settings.authority && one.scheme == settings.scheme
        };
        if endpoints.iter().any(is_same) {
            let message = format!("`{}` is listed twice: leave out one", settings.authority);
            return check.problem(&place, &message);
        }
        let weight = weight.unwrap_or(1);
        if !(1..=balance::HEAVIEST).contains(&weight) {
            let message = format!("`{weight}` is no weight: write 1 to {}", balance::HEAVIEST);
            return check.problem(&place.key("weight"), &message);
        }
        endpoints.push(EndpointSettings { weight, ..settings });
    }
    Some(endpoints)
}

/// What is spoken must not contradict what a URL says is spoken.
fn agrees(
    check: &mut Check<'_>,
    at: &KeyPath,
    protocol: Protocol,
    endpoints: &[EndpointSettings],
) -> Option<Protocol> {
    let h2c = endpoints.iter().find(|one| one.scheme == Scheme::H2c);
    match (protocol, h2c) {
        (Protocol::Http1, Some(one)) => check.problem(
            &at.key("http"),
            &format!(
                "`1.1` is not what `h2c://{}` speaks: write `http://{}` or `http = \"auto\"`",
                one.authority, one.authority
            ),
        ),
        _ => Some(protocol),
    }
}

/// The built-in upstream has no endpoints of its own: that is the one thing nobody can guess.
fn missing<T>(check: &mut Check<'_>, path: &KeyPath) -> Option<T> {
    if check.tree.origin(path) != Origin::Default {
        return check.problem(
            path,
            "this is required: write where it listens, like `[\"http://10.0.0.7:8080\"]`",
        );
    }
    let message = "where requests go is not set: set UPSTREAM_URL, like `http://10.0.0.7:8080`, or define upstreams in a file";
    check
        .report
        .problem_from(Origin::Variable("UPSTREAM_URL".into()), path, message);
    None
}

fn idle_connections(check: &mut Check<'_>, at: &KeyPath, raw: Option<u32>) -> Option<usize> {
    let connections = check.set(at, "idle_connections", raw)?;
    if connections > MAX_IDLE {
        let message = format!("`{connections}` is more than the {MAX_IDLE} allowed");
        return check.problem(&at.key("idle_connections"), &message);
    }
    usize::try_from(connections).ok()
}
