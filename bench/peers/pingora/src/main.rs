//! A reverse proxy on Pingora, to compare the gateway with: one service with one thread before one upstream, and no more on top of
//! the library than every peer of the comparison does.
//!
//! Guarantees: the route that all peers have (`/proxy/…` becomes `/…`), `X-Forwarded-For`, connections to the upstream that are kept;
//! with a certificate, TLS with HTTP/2 and HTTP/1.1. Must not: be used in earnest; it checks nothing of what it forwards.
//!
//!     pingora-peer PORT UPSTREAM_PORT [CERTIFICATE KEY]

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use async_trait::async_trait;
use pingora_core::Result;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::modules::http::HttpModules;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the route takes off a path.
const PREFIX: &str = "/proxy";
/// Idle connections to the upstream: more than any scenario has requests in flight.
const KEPT: usize = 1_024;

/// What is forwarded, and to whom.
struct Peer {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Peer {
    type CTX = ();

    fn new_ctx(&self) {}

    /// None: no peer of the comparison compresses.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _: &mut (),
    ) -> Result<()> {
        let target = request.uri.path_and_query();
        if let Some(rest) = target.and_then(|target| target.as_str().strip_prefix(PREFIX)) {
            let rest = rest.to_owned();
            request.set_raw_path(rest.as_bytes())?;
        }
        if let Some(client) = session.client_addr().and_then(|client| client.as_inet()) {
            request.append_header("X-Forwarded-For", client.ip().to_string())?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (ports, certificate) = match &arguments[..] {
        [port, upstream] => ((port.parse(), upstream.parse()), None),
        [port, upstream, cert, key] => ((port.parse(), upstream.parse()), Some((cert, key))),
        _ => return refuse("usage: pingora-peer PORT UPSTREAM_PORT [CERTIFICATE KEY]"),
    };
    let (Ok(port), Ok(upstream)) = ports else {
        return refuse("a port is a number from 0 to 65535");
    };
    match server(port, upstream, certificate) {
        Ok(server) => server.run_forever(),
        Err(error) => refuse(&error.to_string()),
    }
}

/// Ready to run. It ends as soon as it is told to.
fn server(port: u16, upstream: u16, certificate: Option<(&String, &String)>) -> Result<Server> {
    let settings = ServerConf {
        threads: 1,
        // With one thread there is nobody to steal from, and the runtime that could costs some per cent more.
        work_stealing: false,
        upstream_keepalive_pool_size: KEPT,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, settings);
    server.bootstrap();
    let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, upstream));
    let mut service = http_proxy_service(&server.configuration, Peer { upstream });
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
    match certificate {
        Some((cert, key)) => {
            let mut tls = TlsSettings::intermediate(cert, key)?;
            tls.enable_h2();
            service.add_tls_with_settings(&listen, None, tls);
        }
        None => service.add_tcp(&listen),
    }
    server.add_service(service);
    Ok(server)
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("pingora-peer: {why}");
    ExitCode::from(2)
}
