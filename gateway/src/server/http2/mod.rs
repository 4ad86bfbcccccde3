//! HTTP/2 on one connection: guard, parser, a task for each request, and the good-bye.
//!
//! Guarantees: a stop is announced by GOAWAY and takes no request with it (RFC 9113, section 6.8); streams, windows, header lists,
//! resets and frames that carry nothing on have bounds; a client that takes a request back frees what it held, and so does one that
//! takes nothing of an answer for too long. Must not: look into a request beyond its size.

mod answer;
mod frames;
mod guard;
mod head;
mod shared;

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::drain::{Phase, Signal};
use super::guard::{Limits, Times};
use super::settings::Settings;
use super::stage::Current;
use crate::proxy::{Body, Peer, Proxy, Tunnel};
use crate::telemetry::Counter;
use crate::telemetry::metrics::Metrics;
use answer::{Answer, patiently};
pub(super) use frames::PREFACE;
use guard::Guard;
use shared::{Asked, Shared, Verdict};

/// Requests a client may take back before any of them is looked at.
const UNSEEN_RESETS: usize = 20;
/// Streams that may break the rules before the connection is ended.
const BROKEN_STREAMS: usize = 64;
/// What is buffered of one answer, at most, while its client does not read.
const SEND_BUFFER: usize = 128 * 1024;
/// What a header list counts for each field beside its text (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// How HTTP/2 is served.
#[derive(Debug)]
pub(super) struct Http2 {
    builder: http2::Builder<Local>,
    limits: Limits,
    times: Times,
    floods: Arc<Counter>,
}

impl Http2 {
    pub(super) fn new(settings: &Settings, metrics: &Metrics) -> Self {
        let mut builder = http2::Builder::new(Local {
            patience: settings.keepalive_timeout,
        });
        // A little more than is allowed, so that it is us who answer what is a little too large.
        let list = 2 * settings.max_header_bytes + settings.max_headers * FIELD_OVERHEAD;
        builder
            .timer(TokioTimer::new())
            .enable_connect_protocol()
            .max_concurrent_streams(settings.http2.max_concurrent_streams)
            .initial_stream_window_size(settings.http2.stream_window)
            .initial_connection_window_size(settings.http2.connection_window)
            .max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(UNSEEN_RESETS)
            .max_local_error_reset_streams(BROKEN_STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            // Finds clients that have vanished with requests in flight.
            .keep_alive_interval(settings.keepalive_timeout)
            .keep_alive_timeout(settings.header_timeout);
        Self {
            builder,
            limits: Limits::new(settings),
            times: Times::new(settings),
            floods: metrics.entrance.connections_ended.with(&["flood"]),
        }
    }

    /// Serves `stream`, of which `first` has been read, until it ends.
    pub(super) async fn serve<T>(
        &self,
        current: &Current,
        peer: Peer,
        stream: T,
        first: Vec<u8>,
        mut drain: Signal,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let shared = Rc::new(Shared::default());
        let guard = Guard::new(stream, Rc::clone(&shared), self.times, first);
        let (peer, limits) = (Rc::new(peer), self.limits);
        let service = service_fn(|request| {
            let (proxy, peer) = (current.get(), Rc::clone(&peer));
            let asked = Shared::ask(&shared);
            answer(proxy, peer, asked, limits, request)
        });
        let connection = self.builder.serve_connection(TokioIo::new(guard), service);
        let mut connection = std::pin::pin!(connection);
        let verdict = loop {
            tokio::select! {
                biased;
                // An error is the client's or the network's; what there was of its requests records itself.
                _ = connection.as_mut() => return,
                () = drain.reached(Phase::Drain), if !shared.is_draining() => {}
                verdict = shared.verdict() => {
                    if verdict != Verdict::Idle || shared.is_draining() {
                        break verdict;
                    }
                }
            }
            shared.drain();
            connection.as_mut().graceful_shutdown();
        };
        if verdict == Verdict::Flood {
            self.floods.inc();
            shared.calm();
        }
        // The last word: what can be said at once, and no more.
        connection.as_mut().graceful_shutdown();
        let last = std::future::poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready()));
        last.await;
    }
}

/// The service: one request, one answer.
async fn answer(
    proxy: Rc<Proxy>,
    peer: Rc<Peer>,
    mut asked: Asked,
    limits: Limits,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let is_head = request.method() == Method::HEAD;
    let stream = hyper::upgrade::on(&mut request);
    let mut response = match head::fault(&request, &limits) {
        None => proxy.handle(&peer, request).await,
        Some(fault) => proxy.handle_fault(&peer, request, fault),
    };
    asked.answered();
    if let Some(tunnel) = peer.take_tunnel() {
        return Ok(switched(response, tunnel, stream, asked));
    }
    if is_head && let Some(length) = response.body().size_hint().exact() {
        // The parser of HTTP/1.1 leaves the content out by itself.
        let headers = response.headers_mut();
        headers.entry(CONTENT_LENGTH).or_insert(length.into());
    }
    Ok(response.map(|body| {
        let body = if is_head {
            body.without_content()
        } else {
            body
        };
        Answer::new(body, Some(asked))
    }))
}

/// What HTTP/1.1 calls a switch is a success here, and the stream is what was switched (RFC 8441, section 5).
fn switched(
    mut response: Response<Body>,
    tunnel: Tunnel,
    stream: OnUpgrade,
    asked: Asked,
) -> Response<Answer> {
    *response.status_mut() = StatusCode::OK;
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
        response.headers_mut().remove(name);
    }
    tokio::task::spawn_local(async move {
        if let Ok(stream) = stream.await {
            // Its errors are the ends of the two sides; the record tells a whole tunnel from a cut one.
            let _ = tunnel.relay(TokioIo::new(stream)).await;
        }
        drop(asked);
    });
    response.map(|body| Answer::new(body, None))
}

/// Runs a connection's tasks on its thread, each stream's for as long as its client takes what it is sent.
#[derive(Clone, Copy, Debug)]
struct Local {
    patience: Duration,
}

impl<F> hyper::rt::Executor<F> for Local
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(patiently(future, self.patience));
    }
}
