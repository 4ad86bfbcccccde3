//! One client's connection, from accept to close: what it speaks, and who serves that. Must not: look into a request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::caps::Place;
use super::drain::Signal;
use super::http1::Http1;
use super::http2::Http2;
use super::opening::{self, Opening};
use super::relay::{self, Relays};
use super::settings::Settings;
use super::stage::Current;
use super::tls::{Accepted, Tls};
use super::worker::Entrance;
use crate::proxy::Peer;
use crate::telemetry::Counter;

/// How connections are served; made once for each worker and configuration.
#[derive(Debug)]
pub(super) struct Serve {
    http1: Http1,
    http2: Http2,
    tls: Option<Arc<Tls>>,
    relays: Relays,
    shed: Arc<Counter>,
    unannounced: Arc<Counter>,
    /// Whether HTTP/2 is spoken in clear.
    clear_http2: bool,
    header_timeout: Duration,
    current: Rc<Current>,
}

impl Serve {
    pub(super) fn new(current: Rc<Current>, settings: &Settings, entrance: &Entrance) -> Self {
        Self {
            http1: Http1::new(settings),
            http2: Http2::new(settings, &entrance.metrics),
            tls: entrance.tls.clone(),
            relays: Relays::new(settings.proxy_protocol.clone()),
            shed: Arc::clone(&entrance.shed),
            unannounced: entrance
                .metrics
                .entrance
                .connections_ended
                .with(&["proxy_protocol"]),
            clear_http2: settings.http2.cleartext,
            header_timeout: settings.header_timeout,
            current,
        }
    }

    /// Serves `stream` until it ends, or until the drain has let its last request finish.
    pub(super) async fn connection(
        &self,
        mut stream: TcpStream,
        address: SocketAddr,
        is_secure: bool,
        mut place: Place,
        drain: Signal,
    ) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let mut address = address.ip();
        if self.is_relay(address) {
            let client = Box::pin(self.client(&mut stream, address, &mut place)).await;
            let Some(client) = client else {
                return;
            };
            address = client;
        }
        let peer = Peer::new(address);
        // What not every connection needs is boxed: a plain one is as small as it would be without.
        match self.tls.as_ref().filter(|_| is_secure) {
            None => self.clear(stream, peer, drain).await,
            Some(tls) => Box::pin(self.secure(tls, stream, peer, drain)).await,
        }
    }

    /// Whether `peer` must say whose connection it passes on.
    pub(super) fn is_relay(&self, peer: IpAddr) -> bool {
        self.relays.contains(peer)
    }

    /// Whose connection `relay` passes on; its own when it says so. None for a connection that is not served.
    async fn client(
        &self,
        stream: &mut TcpStream,
        relay: IpAddr,
        place: &mut Place,
    ) -> Option<IpAddr> {
        let announced = relay::announced(stream);
        let announced = timeout(self.header_timeout, announced).await;
        let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
        match announced.unwrap_or_else(late) {
            Ok(client) => {
                let client = client.unwrap_or(relay);
                let has_place = place.claim(client);
                if !has_place {
                    self.shed.inc();
                }
                has_place.then_some(client)
            }
            Err(error) => {
                self.unannounced.inc();
                tracing::debug!(event = "proxy_protocol_refused", %relay, %error);
                None
            }
        }
    }

    async fn clear(&self, mut stream: TcpStream, peer: Peer, mut drain: Signal) {
        let opening = if self.clear_http2 {
            opening::read(&mut stream, self.header_timeout, &mut drain).await
        } else {
            Opening::Http1(Vec::new())
        };
        match opening {
            Opening::Http1(first) => {
                let serving = self.http1.serve(&self.current, &peer, stream, first, drain);
                serving.await;
            }
            Opening::Http2(first) => {
                let serving = self.http2.serve(&self.current, peer, stream, first, drain);
                Box::pin(serving).await;
            }
            Opening::Nothing => {}
        }
    }

    async fn secure(&self, tls: &Tls, stream: TcpStream, peer: Peer, drain: Signal) {
        let Some(accepted) = tls.accept(stream).await else {
            return;
        };
        let Accepted {
            stream,
            is_h2,
            certificate,
        } = accepted;
        let peer = peer.over_tls(certificate);
        if is_h2 {
            let serving = self
                .http2
                .serve(&self.current, peer, stream, Vec::new(), drain);
            serving.await;
        } else {
            let serving = self
                .http1
                .serve(&self.current, &peer, stream, Vec::new(), drain);
            serving.await;
        }
    }
}
