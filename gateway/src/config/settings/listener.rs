//! `[server]` and `[admin]`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use super::super::path::KeyPath;
use super::super::raw::{Admin, EncodedSlashes, Raw, Server, Text};
use super::super::secret::{self, Password};
use super::{Check, http2, server_tls};
use crate::admin::settings::Token;
use crate::policy::units::Micros;
use crate::proxy::settings::{IdentitySettings, Strictness};
use crate::{admin, server};

/// Shorter ones can be guessed.
const SHORTEST_TOKEN: usize = 16;
/// More threads than any machine has cores: a typing error, not a wish.
const MAX_WORKERS: u16 = 1_024;

/// The proxy listener.
pub(super) fn server(check: &mut Check<'_>, raw: &Server) -> Option<server::settings::Settings> {
    let at = KeyPath::default().key("server");
    let listen = check.set(&at, "listen", raw.listen.clone());
    let workers = workers(check, &at, raw.workers);
    let metrics = check.set(&at, "metrics", raw.metrics);
    let watch_config = check.set(&at, "watch_config", raw.watch_config);
    let header_timeout = check.timeout(&at, "header_timeout", raw.header_timeout.clone());
    let keepalive_timeout = check.timeout(&at, "keepalive_timeout", raw.keepalive_timeout.clone());
    let max_connections = check.count(&at, "max_connections", raw.max_connections);
    let per_address = raw.max_connections_per_address;
    let per_address = check.count(&at, "max_connections_per_address", per_address);
    let max_header_bytes = sizes(check, &at, "max_header_bytes", raw.max_header_bytes);
    let max_uri_bytes = sizes(check, &at, "max_uri_bytes", raw.max_uri_bytes);
    let max_headers = headers(check, &at, raw.max_headers);
    let http2 = check.set(&at, "http2", raw.http2.as_ref());
    let http2 = http2.and_then(|raw| http2::http2(check, &at.key("http2"), raw));
    let relays = check.list(&at, "proxy_protocol", raw.proxy_protocol.clone());
    let backlog = check.count(&at, "backlog", raw.backlog);
    let tcp_keepalive = check.span(&at, "tcp_keepalive", raw.tcp_keepalive.clone());
    let tls = check.set(&at, "tls", raw.tls.as_ref());
    let tls = tls.and_then(|raw| server_tls::tls(check, &at.key("tls"), raw));
    let drain_timeout = check.span(&at, "drain_timeout", raw.drain_timeout.clone());
    let drain_delay = check.span(&at, "drain_delay", raw.drain_delay.clone());
    Some(server::settings::Settings {
        listen: listen?.0,
        workers: workers?,
        metrics: metrics?,
        watch_config: watch_config?,
        header_timeout: header_timeout?,
        keepalive_timeout: keepalive_timeout?,
        max_connections: usize::try_from(max_connections?).ok()?,
        max_connections_per_address: usize::try_from(per_address?).ok()?,
        max_header_bytes: max_header_bytes?,
        max_headers: max_headers?,
        max_uri_bytes: max_uri_bytes?,
        http2: http2?,
        tls: tls?,
        proxy_protocol: relays?
            .into_iter()
            .map(|(_, Text(network))| network)
            .collect(),
        backlog: backlog?,
        tcp_keepalive: tcp_keepalive.map(Micros::to_duration)?,
        drain_timeout: drain_timeout.map(Micros::to_duration)?,
        drain_delay: drain_delay.map(Micros::to_duration)?,
    })
}

/// What is refused of what can be parsed.
pub(super) fn strictness(check: &mut Check<'_>, raw: &Server) -> Option<Strictness> {
    let at = KeyPath::default().key("server");
    let underscores = check.set(&at, "underscore_headers", raw.underscore_headers.clone());
    let max_body_bytes = check.set(&at, "max_body_bytes", raw.max_body_bytes);
    let body_timeout = check.timeout(&at, "body_timeout", raw.body_timeout.clone());
    let dots = check.set(&at, "dot_segments", raw.dot_segments.clone());
    let slashes = check.set(&at, "double_slashes", raw.double_slashes.clone());
    let encoded = check.set(&at, "encoded_slashes", raw.encoded_slashes.clone());
    Some(Strictness {
        underscores: underscores?.0,
        dot_segments: dots?.0,
        double_slashes: slashes?.0,
        refuse_encoded_slashes: encoded?.0 == EncodedSlashes::Reject,
        max_body_bytes: max_body_bytes?,
        body_timeout: body_timeout?,
    })
}

/// How long a tunnel may be silent.
pub(super) fn tunnel(check: &mut Check<'_>, raw: &Server) -> Option<std::time::Duration> {
    let at = KeyPath::default().key("server");
    check.timeout(&at, "tunnel_idle_timeout", raw.tunnel_idle_timeout.clone())
}

fn sizes(check: &mut Check<'_>, at: &KeyPath, key: &str, raw: Option<u32>) -> Option<usize> {
    match check.set(at, key, raw)? {
        size @ 256..=65_536 => usize::try_from(size).ok(),
        size => {
            let message = format!("`{size}` bytes cannot be had: write 256 to 65536");
            check.problem(&at.key(key), &message)
        }
    }
}

fn headers(check: &mut Check<'_>, at: &KeyPath, raw: Option<u16>) -> Option<usize> {
    match check.set(at, "max_headers", raw)? {
        count @ 1..=256 => Some(usize::from(count)),
        count => {
            let message = format!("`{count}` header fields cannot be had: write 1 to 256");
            check.problem(&at.key("max_headers"), &message)
        }
    }
}

fn workers(check: &mut Check<'_>, at: &KeyPath, raw: Option<u16>) -> Option<usize> {
    match check.set(at, "workers", raw)? {
        0 => Some(std::thread::available_parallelism().map_or(1, NonZeroUsize::get)),
        workers if workers <= MAX_WORKERS => Some(usize::from(workers)),
        workers => {
            let message = format!("`{workers}` threads are more than the {MAX_WORKERS} allowed");
            check.problem(&at.key("workers"), &message)
        }
    }
}

/// Who may say for whom a request is.
pub(super) fn identity(check: &mut Check<'_>, raw: &Server) -> Option<IdentitySettings> {
    let at = KeyPath::default().key("server");
    let trusted = check.list(&at, "trusted_proxies", raw.trusted_proxies.clone());
    let prefix = check.set(&at, "ipv6_prefix", raw.ipv6_prefix);
    let ipv6_prefix = match prefix {
        Some(1..=128) | None => prefix,
        Some(bits) => check.problem(
            &at.key("ipv6_prefix"),
            &format!("`{bits}` is not a prefix length: write 1 to 128"),
        ),
    };
    let trusted_proxies: Vec<_> = trusted?
        .into_iter()
        .map(|(_, Text(network))| network)
        .collect();
    if let Some(everyone) = trusted_proxies
        .iter()
        .find(|network| network.prefix_len() == 0)
    {
        check.report.warning(&format!(
            "server.trusted_proxies: `{everyone}` believes every client, so anyone can take another's address"
        ));
    }
    Some(IdentitySettings {
        trusted_proxies,
        ipv6_prefix: ipv6_prefix?,
    })
}

/// The name this hop signs with: a token of RFC 9110, because `Via` divides by spaces and commas.
pub(super) fn hop(check: &mut Check<'_>, raw: &Server) -> Option<String> {
    let at = KeyPath::default().key("server");
    let name = check.set(&at, "name", raw.name.clone())?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.is_empty() && name.bytes().all(token) {
        return Some(name);
    }
    let message =
        format!("`{name}` cannot stand in a `Via` header: write letters, digits, `-`, `_` or `.`");
    check.problem(&at.key("name"), &message)
}

/// The admin listener.
pub(super) fn admin(check: &mut Check<'_>, raw: &Admin) -> Option<admin::settings::Settings> {
    let at = KeyPath::default().key("admin");
    let listen = check.set(&at, "listen", raw.listen.clone());
    let token = token(check, &at, raw);
    let (Text(listen), token) = (listen?, token?);
    if token.is_none() && !listen.ip().is_loopback() {
        check.report.warning(&format!(
            "admin.listen: `{listen}` can be reached from other machines and there is no `admin.token`: the console and its API are shut, probes and metrics are served"
        ));
    }
    Some(admin::settings::Settings { listen, token })
}

/// What operators show, if anything.
fn token(check: &mut Check<'_>, at: &KeyPath, raw: &Admin) -> Option<Option<Token>> {
    let (path, password) = match (&raw.token, &raw.token_file) {
        (None, None) => return Some(None),
        (Some(_), Some(_)) => {
            let message = "`admin.token` says the same: leave out one of the two";
            return check.problem(&at.key("token_file"), message);
        }
        (Some(Text(password)), None) => (at.key("token"), password.clone()),
        (None, Some(file)) => {
            let path = at.key("token_file");
            match secret::read(file) {
                Ok(text) => (path, Password::new(text.expose())),
                Err(message) => return check.problem(&path, &message),
            }
        }
    };
    let text = password.expose();
    if text.len() < SHORTEST_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!(
            "a token has at least {SHORTEST_TOKEN} letters, digits or signs, without spaces: `openssl rand -hex 24` makes one"
        );
        return check.problem(&path, &message);
    }
    Some(Some(Token::new(text)))
}

/// Two listeners cannot share an address.
pub(super) fn conflict(check: &mut Check<'_>, raw: &Raw) {
    tls_conflict(check, raw);
    let (Some(Text(proxy)), Some(Text(admin))) = (&raw.server.listen, &raw.admin.listen) else {
        return;
    };
    if overlap(*proxy, *admin) {
        let message =
            format!("`{admin}` is taken by `server.listen` (`{proxy}`): write another port");
        let _: Option<()> = check.problem(&KeyPath::default().key("admin").key("listen"), &message);
    }
}

fn tls_conflict(check: &mut Check<'_>, raw: &Raw) {
    let tls = raw.server.tls.as_ref().and_then(|tls| tls.listen.as_ref());
    let Some(Text(tls)) = tls else {
        return;
    };
    let others = [
        ("server.listen", &raw.server.listen),
        ("admin.listen", &raw.admin.listen),
    ];
    let taken = others.into_iter().find_map(|(key, other)| {
        let Text(other) = other.as_ref().filter(|other| overlap(*tls, other.0))?;
        Some(format!(
            "`{tls}` is taken by `{key}` (`{other}`): write another port"
        ))
    });
    if let Some(message) = taken {
        let at = KeyPath::default().key("server").key("tls").key("listen");
        let _: Option<()> = check.problem(&at, &message);
    }
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (everywhere || one.ip() == other.ip())
}
