//! One client's connection, from accept to close. Must not: look into a request.

use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::TcpStream;

use super::drain::Signal;
use super::http1::Http1;
use super::settings::Settings;
use crate::proxy::{Peer, Proxy};

/// How connections are served; made once for each worker.
#[derive(Debug)]
pub(super) struct Serve {
    http1: Http1,
    proxy: Rc<Proxy>,
}

impl Serve {
    pub(super) fn new(proxy: Rc<Proxy>, settings: &Settings) -> Self {
        Self {
            http1: Http1::new(settings),
            proxy,
        }
    }

    pub(super) const fn proxy(&self) -> &Rc<Proxy> {
        &self.proxy
    }

    /// Serves `stream` until it ends, or until the drain has let its last request finish.
    pub(super) async fn connection(&self, stream: TcpStream, address: SocketAddr, drain: Signal) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let peer = Peer::new(address.ip());
        self.http1
            .serve(&self.proxy, &peer, stream, &[], drain)
            .await;
    }
}
