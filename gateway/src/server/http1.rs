//! HTTP/1.1 on one connection: guard, parser, service, and what follows the last answer.
//!
//! Guarantees: an answer that ends a connection reaches a client that is still sending; once the process is about to stop, every
//! answer says that it is the last. Must not: look into a request.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::drain::{Phase, Signal};
use super::guard::{Busy, Guard, Left, Limits, Shared, Times};
use super::quiet;
use super::settings::Settings;
use super::stage::Current;
use crate::proxy::{Body, Peer, Proxy};

/// The most that is read ahead of a slow upstream, at least; a head of any permitted size fits.
const BUFFER: usize = 128 * 1024;
/// The parser's own bound, from which on it needs memory for each request.
const PARSER_HEADERS: usize = 100;
/// How long a client that is still sending may take to notice that it was answered and that nobody listens any more.
const LINGER: Duration = Duration::from_secs(2);

/// How long a connection may be idle at most until its parser goes, and with it some 20 KiB of buffers: clients keep connections for far
/// longer than they have something to ask.
const REST: Duration = Duration::from_secs(1);
/// The same as a share of the time for which an idle connection is kept.
const RESTS: u32 = 8;

/// How HTTP/1.1 is served.
#[derive(Debug)]
pub(super) struct Http1 {
    builder: http1::Builder,
    limits: Limits,
    times: Times,
    /// How long a connection is kept that has been idle for as long as `times` says.
    quiet: Duration,
}

/// How a connection's requests ended.
enum Ended<T> {
    /// For now.
    Quiet(T),
    /// With a last answer.
    Last(T, Left),
}

impl Http1 {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER).writev(false);
        if settings.max_headers > PARSER_HEADERS {
            builder.max_headers(settings.max_headers);
        }
        let mut times = Times::new(settings);
        let keepalive = times.idle;
        times.idle = REST.min(keepalive / RESTS);
        Self {
            builder,
            limits: Limits::new(settings),
            times,
            quiet: keepalive - times.idle,
        }
    }

    /// Serves `stream`, of which `first` has been read, until it ends.
    pub(super) async fn serve<T>(
        &self,
        current: &Current,
        peer: &Peer,
        mut stream: T,
        mut first: Vec<u8>,
        mut drain: Signal,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut limit = self.times.head;
        loop {
            if first.is_empty() {
                match quiet::heard(&mut stream, limit, &mut drain).await {
                    Some(said) => first = said,
                    None => return Box::pin(linger(stream)).await,
                }
            }
            let first = std::mem::take(&mut first);
            // Boxed, so that it is there only as long as there are requests.
            let requests = Box::pin(self.requests(current, peer, stream, first, &mut drain));
            match requests.await {
                Some(Ended::Quiet(still)) => (stream, limit) = (still, self.quiet),
                Some(Ended::Last(stream, left)) => {
                    return Box::pin(follow(peer, stream, left)).await;
                }
                None => return,
            }
        }
    }

    /// Serves the requests that come one soon after the other.
    async fn requests<T>(
        &self,
        current: &Current,
        peer: &Peer,
        stream: T,
        first: Vec<u8>,
        drain: &mut Signal,
    ) -> Option<Ended<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let shared = Rc::new(Shared::default());
        let guard = Guard::new(
            stream,
            Rc::clone(&shared),
            self.limits,
            self.times,
            first,
            Arc::clone(peer.interim()),
        );
        let service = service_fn(|request| answer(current.get(), peer, &shared, request));
        let connection = self.builder.serve_connection(TokioIo::new(guard), service);
        let mut connection = std::pin::pin!(connection.without_shutdown());
        let ended = 'ended: {
            if let Some(ended) = drain.during(Phase::Leave, connection.as_mut()).await {
                break 'ended ended;
            }
            shared.leave();
            if let Some(ended) = drain.during(Phase::Drain, connection.as_mut()).await {
                break 'ended ended;
            }
            shared.drain();
            connection.await
        };
        // An error is the client's or the network's; what there was of a request has been recorded.
        let parts = ended.ok()?;
        if !shared.is_tunnel() {
            drop(peer.take_tunnel());
        }
        let (stream, left) = parts.io.into_inner().into_inner();
        Some(match left {
            _ if !parts.read_buf.is_empty() => Ended::Last(stream, Left::Spoilt),
            Left::Quiet => Ended::Quiet(stream),
            left => Ended::Last(stream, left),
        })
    }
}

/// What follows the last answer: a tunnel, or the end.
async fn follow<T>(peer: &Peer, stream: T, left: Left)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    match peer.take_tunnel() {
        // What was sent before the switch was sent as HTTP, or to be mistaken for it.
        Some(_) if left != Left::Clean => {}
        Some(tunnel) => {
            // Its errors are the ends of the two sides; the record tells a whole tunnel from a cut one.
            let _ = tunnel.relay(stream).await;
        }
        None => linger(stream).await,
    }
}

/// The service: one request, one answer. Its future is moved whole into the connection: what grows it costs every request.
async fn answer(
    proxy: Rc<Proxy>,
    peer: &Peer,
    shared: &Rc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let busy = Shared::busy(shared);
    let mut response = match shared.serve() {
        None => proxy.handle(peer, request).await,
        Some(fault) => proxy.handle_fault(peer, request, fault),
    };
    peer.interim().conclude(shared.is_clear());
    if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
        shared.tunnel();
    } else if shared.is_leaving() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response.map(|body| Answer { body, _busy: busy }))
}

/// Says that no more will come, and reads on until the client has heard it: closing on unread bytes would reset the connection,
/// and the reset would overtake the answer.
async fn linger<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut heap = vec![0; 16 * 1024];
    let hear_out = async { while matches!(stream.read(&mut heap).await, Ok(1..)) {} };
    let _ = timeout(LINGER, hear_out).await;
}

/// An answer's body, which keeps its connection busy until it is sent.
#[derive(Debug)]
struct Answer {
    body: Body,
    _busy: Busy,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
