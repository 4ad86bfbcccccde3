//! One client's connection, from accept to close: what it speaks, and who serves that. Must not: look into a request.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::drain::Signal;
use super::http1::Http1;
use super::http2::Http2;
use super::opening::{self, Opening};
use super::settings::Settings;
use crate::proxy::{Peer, Proxy};
use crate::telemetry::metrics::Metrics;

/// How connections are served; made once for each worker.
#[derive(Debug)]
pub(super) struct Serve {
    http1: Http1,
    http2: Http2,
    /// Whether HTTP/2 is spoken in clear.
    clear_http2: bool,
    header_timeout: Duration,
    proxy: Rc<Proxy>,
}

impl Serve {
    pub(super) fn new(proxy: Rc<Proxy>, settings: &Settings, metrics: &Metrics) -> Self {
        Self {
            http1: Http1::new(settings),
            http2: Http2::new(settings, metrics),
            clear_http2: settings.http2.cleartext,
            header_timeout: settings.header_timeout,
            proxy,
        }
    }

    pub(super) const fn proxy(&self) -> &Rc<Proxy> {
        &self.proxy
    }

    /// Serves `stream` until it ends, or until the drain has let its last request finish.
    pub(super) async fn connection(
        &self,
        mut stream: TcpStream,
        address: SocketAddr,
        mut drain: Signal,
    ) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let peer = Peer::new(address.ip());
        let opening = if self.clear_http2 {
            opening::read(&mut stream, self.header_timeout, &mut drain).await
        } else {
            Opening::Http1(Vec::new())
        };
        match opening {
            Opening::Http1(first) => {
                let serving = self.http1.serve(&self.proxy, &peer, stream, first, drain);
                serving.await;
            }
            Opening::Http2(first) => {
                let serving = self.http2.serve(&self.proxy, peer, stream, first, drain);
                serving.await;
            }
            Opening::Nothing => {}
        }
    }
}
