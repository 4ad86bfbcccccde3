//! HTTP/2 connections: many exchanges beside each other (RFC 9113).
//!
//! Guarantees: no more streams are begun than the peer allows; what a peer says it has not processed counts as not sent
//! (RFC 9113, section 8.7); memory for what a slow client leaves unread is bounded. Must not: open or choose a connection.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use http::header::{CONNECTION, HOST, TE, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::link::Failed;
use super::upload::RequestBody;

/// What a peer may send on one stream beyond what was read of it.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for a connection: so large that a few clients that read slowly do not stop the others, and the bound of what one
/// connection can make this process hold.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Of each stream, what waits to be written.
const SEND_BUFFER: usize = 64 * 1024;
/// The largest response head, in bytes.
const MAX_HEAD: u32 = 64 * 1024;
/// How often a connection with nothing to say is asked whether it lives, and how long it may think.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// More streams than this are not begun on one connection, whatever the peer allows.
const MOST_STREAMS: usize = 1024;
/// Streams before the peer has said how many it allows; the others wait within the connection until it has.
const UNTOLD_STREAMS: usize = 1;

/// One HTTP/2 connection.
pub(super) struct Trunk {
    sender: SendRequest<RequestBody>,
    allowance: Rc<Allowance>,
    streams: Cell<usize>,
    opened: Cell<u32>,
    born: Instant,
    used: Cell<Instant>,
    touched: Cell<bool>,
}

/// How many streams the peer allows, as far as the connection's task has heard.
struct Allowance {
    streams: Cell<usize>,
    /// Something came from the peer, and its settings came before.
    heard: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl Allowance {
    /// The peer has answered: its settings are there, and worth a look.
    fn hear(&self) {
        if !self.heard.replace(true)
            && let Some(task) = self.task.take()
        {
            task.wake();
        }
    }

    fn update(&self, current: usize, task: &Waker) {
        if self.heard.get() || current != UNTOLD_STREAMS {
            self.streams.set(current);
        } else {
            self.task.replace(Some(task.clone()));
        }
    }
}

/// A stream of a connection, counted until it is dropped.
pub(super) struct Stream(Rc<Trunk>);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// Spawns the tasks of a connection on its own thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            let _ = task.await;
        });
    }
}

/// Begins HTTP/2 on `stream`, and leaves the connection's work to tasks of this thread.
pub(super) async fn handshake<T>(stream: T, born: Instant) -> hyper::Result<Rc<Trunk>>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .initial_max_send_streams(UNTOLD_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(MAX_HEAD)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await?;
    let allowance = Rc::new(Allowance {
        streams: Cell::new(MOST_STREAMS),
        heard: Cell::new(false),
        task: RefCell::new(None),
    });
    let told = Rc::clone(&allowance);
    // Its errors reach the requests through their senders; the task itself has nobody to tell.
    tokio::task::spawn_local(async move {
        let mut connection = pin!(connection);
        let ended = poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            told.update(connection.current_max_send_streams(), cx.waker());
            polled
        });
        let _ = ended.await;
    });
    let now = Instant::now();
    Ok(Rc::new(Trunk {
        sender,
        allowance,
        streams: Cell::new(0),
        opened: Cell::new(0),
        born,
        used: Cell::new(now),
        touched: Cell::new(true),
    }))
}

impl Trunk {
    /// A stream; where there is no room it waits for its turn.
    pub(super) fn stream(self: &Rc<Self>) -> Stream {
        self.streams.set(self.streams.get() + 1);
        self.opened.set(self.opened.get().saturating_add(1));
        self.touched.set(true);
        Stream(Rc::clone(self))
    }

    pub(super) fn has_room(&self) -> bool {
        self.streams.get() < self.allowance.streams.get().min(MOST_STREAMS)
    }

    pub(super) const fn streams(&self) -> usize {
        self.streams.get()
    }

    pub(super) const fn opened(&self) -> u32 {
        self.opened.get()
    }

    pub(super) const fn born(&self) -> Instant {
        self.born
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// How long it has had nothing to do, as far as the calls to this can tell.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        if self.touched.replace(false) || self.streams.get() > 0 {
            self.used.set(now);
        }
        now - self.used.get()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
    }
}

/// Sends `request` on `stream` and waits for the response head.
pub(super) async fn exchange(
    stream: Stream,
    endpoint: &Endpoint,
    mut request: Box<Request<RequestBody>>,
) -> Result<(Response<Incoming>, Stream), Failed> {
    address(&mut request, endpoint);
    let copy = request.body().is_replayable().then(|| copy(&request));
    let mut sender = stream.0.sender.clone();
    let mut error = match sender.try_send_request(*request).await {
        Ok(response) => {
            stream.0.allowance.hear();
            return Ok((response, stream));
        }
        Err(error) => error,
    };
    if let Some(request) = error.take_message() {
        return Err(Failed::Unsent(Box::new(restored(request))));
    }
    let error = error.into_error();
    if is_refusal(&error) {
        return Err(Failed::Refused(copy.map(|copy| Box::new(restored(copy)))));
    }
    Err(Failed::Broken(error.into()))
}

/// RFC 9113, section 8.7: a stream reset with REFUSED_STREAM, or above the last one that a GOAWAY speaks of, was not processed.
fn is_refusal(error: &hyper::Error) -> bool {
    let h2 = error
        .source()
        .and_then(|source| source.downcast_ref::<h2::Error>());
    h2.is_some_and(|error| {
        let reason = error.reason();
        error.is_remote()
            && ((error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM))
                || (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR)))
    })
}

/// Makes an HTTP/1.1 request one of HTTP/2: RFC 9113, sections 8.2.2 and 8.3.1.
fn address(request: &mut Request<RequestBody>, endpoint: &Endpoint) {
    let headers = request.headers_mut();
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let authority = match headers.remove(HOST) {
        Some(host) if host != endpoint.host() => Authority::try_from(host.as_bytes()).ok(),
        _ => None,
    };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if endpoint.is_secure() {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    });
    parts.authority = Some(authority.unwrap_or_else(|| endpoint.said().clone()));
    parts
        .path_and_query
        .get_or_insert_with(|| PathAndQuery::from_static("/"));
    // Whole by now: a scheme, an authority and a path.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
}

/// Takes [`address`] back, for a connection that may speak HTTP/1.1.
fn restored(mut request: Request<RequestBody>) -> Request<RequestBody> {
    let parts = std::mem::take(request.uri_mut()).into_parts();
    *request.uri_mut() = parts.path_and_query.map(Uri::from).unwrap_or_default();
    *request.version_mut() = Version::HTTP_11;
    let is_chunked =
        !request.body().is_end_stream() && request.body().size_hint().exact().is_none();
    let headers = request.headers_mut();
    let host = parts.authority.as_ref().map(Authority::as_str);
    if let Some(Ok(host)) = host.map(HeaderValue::from_str) {
        headers.insert(HOST, host);
    }
    if is_chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if headers.contains_key(TE) {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    request
}

/// The same request without its body.
pub(super) fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}
