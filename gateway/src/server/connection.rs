//! One client's connection: HTTP/1.1 on it, requests handed to the proxy, and the end of it. Must not: look into a request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::drain::{Phase, Signal};
use crate::proxy::{Peer, Proxy};

/// The largest head, and the most that is read ahead of a slow upstream.
const BUFFER: usize = 64 * 1024;

/// How connections are served; made once for each worker.
#[derive(Debug)]
pub(super) struct Serve {
    builder: http1::Builder,
    proxy: Rc<Proxy>,
}

impl Serve {
    pub(super) fn new(proxy: Rc<Proxy>, header_timeout: Duration) -> Self {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_buf_size(BUFFER)
            .writev(false);
        Self { builder, proxy }
    }

    pub(super) const fn proxy(&self) -> &Rc<Proxy> {
        &self.proxy
    }

    /// Serves `stream` until it ends, or until the drain has let its last request finish.
    pub(super) async fn connection(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        mut drain: Signal,
    ) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let peer = Peer::new(address.ip());
        let service = service_fn(|request| {
            let answer = self.proxy.handle(&peer, request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut connection =
            std::pin::pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            biased;
            // An error here is the client's or the network's; what there was of a request has been recorded.
            _ = connection.as_mut() => return,
            () = drain.reached(Phase::Drain) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
