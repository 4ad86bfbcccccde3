//! An HTTP/1.1 connection to an upstream (RFC 9112): one request after the other, each driven by whoever waits for its answer.
//!
//! Guarantees: a request, its connection and its answer are one task, so that between them nothing is woken, queued or scheduled; an
//! answer is read while its request is still being written; what cannot be read one way is an error; only a connection that is known to be
//! at the end of an exchange is used for another. Must not: decide whether a request is sent again.

mod head;
mod incoming;
mod outgoing;
mod reader;
mod switched;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use head::{End, Head, Lines};
use incoming::Incoming;
use outgoing::Outgoing;
use reader::Reader;
pub use switched::Switched;

use super::hints::Listener;
use super::link::Failed;
use super::socket::Socket;
use super::timer::Timer;
use super::upload::{RequestBody, UploadFault};

/// Why an exchange on a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The connection ended before a byte of an answer.
    #[error("the connection ended before an answer")]
    Ended,
    /// The connection ended within an answer.
    #[error("the connection ended within an answer")]
    CutOff,
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came is no answer.
    #[error("the answer cannot be read: {0}")]
    Malformed(httparse::Error),
    /// The end of the answer's body is in doubt, or its chunks are broken (RFC 9112, sections 6.3 and 7.1).
    #[error("the end of the answer is in doubt")]
    Framing,
    /// The answer's head or its trailers are too large.
    #[error("the answer's fields are too large or too many")]
    TooLarge,
    /// The request's body broke off.
    #[error(transparent)]
    Upload(UploadFault),
    /// The request's body was not as long as its head said.
    #[error("the request's body is not as long as it said")]
    Length,
}

/// A connection that takes one request at a time.
#[derive(Debug)]
pub(super) struct Line {
    socket: Socket,
    reader: Reader,
    outgoing: Outgoing,
    incoming: Incoming,
    lines: Lines,
    timer: Timer,
    /// It may take another request once this exchange is over.
    keeps: bool,
    /// Why nothing more is written to it.
    broken: Option<io::Error>,
    pub(super) born: Instant,
    pub(super) served: u32,
    /// It has been idle for a while before this exchange.
    pub(super) has_rested: bool,
}

impl Line {
    pub(super) fn new(socket: Socket, born: Instant) -> Self {
        Self {
            socket,
            reader: Reader::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            lines: Lines::default(),
            timer: Timer::default(),
            keeps: true,
            broken: None,
            born,
            served: 0,
            has_rested: false,
        }
    }

    /// Whether it is at the end of an exchange, and can take another request.
    pub(super) fn is_free(&self) -> bool {
        self.keeps
            && self.broken.is_none()
            && self.incoming.is_whole()
            && self.outgoing.is_sent()
            && self.reader.bytes().is_empty()
    }

    /// Looks whether it has ended, which is idle, and lets go of its buffers.
    pub(super) fn look(&mut self) {
        let nobody = &mut Context::from_waker(Waker::noop());
        self.keeps &= reader::is_silent(&mut self.socket, nobody);
        self.reader.shrink();
        self.outgoing.shrink();
    }

    /// Sends `request` and waits for the response head, at most until `until`.
    pub(super) async fn exchange(
        &mut self,
        request: Box<Request<RequestBody>>,
        until: Instant,
        listener: Option<&Listener>,
    ) -> Result<Response<()>, Failed> {
        let socket = &mut self.socket;
        let is_silent = poll_fn(|cx| Poll::Ready(reader::is_silent(socket, cx)));
        if !is_silent.await {
            return Err(Failed::Unsent(request));
        }
        self.keeps = false;
        self.served = self.served.saturating_add(1);
        let (method, mut headers) = self.outgoing.begin(*request);
        let answer = poll_fn(|cx| match self.poll_head(cx, listener, &mut headers) {
            Poll::Ready(head) => Poll::Ready(Some(head)),
            Poll::Pending => self.timer.poll(cx, until).map(|()| None),
        });
        let head = answer.await.ok_or(Failed::Late)?.map_err(Failed::line)?;
        self.begin(head, &method).map_err(Failed::line)
    }

    /// Begins the answer to a request of `method`.
    fn begin(&mut self, head: Head, method: &Method) -> Result<Response<()>, LineError> {
        let end = head.end(method)?;
        self.incoming = Incoming::new(end);
        let is_switch = head.status == StatusCode::SWITCHING_PROTOCOLS;
        self.keeps = head.keeps && end != End::Close && !is_switch;
        Ok(response(head))
    }

    /// Writes the request, and reads the head of its answer into `headers`.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        listener: Option<&Listener>,
        headers: &mut HeaderMap,
    ) -> Poll<Result<Head, LineError>> {
        // An answer may come before the end of its request, be it a refusal.
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            if !self.reader.bytes().is_empty()
                && let Some(length) = self.lines.find(self.reader.bytes())?
            {
                let bytes = self.reader.take(length);
                let head = self.lines.head(&bytes, std::mem::take(headers))?;
                if !head.is_interim() {
                    return Poll::Ready(Ok(head));
                }
                if let Some(Listener { hints, request }) = listener {
                    hints.hear(*request, head.status, head.headers);
                }
                continue;
            }
            let count = ready!(self.reader.poll_fill(&mut self.socket, cx));
            if !self.reader.bytes().is_empty() && matches!(count, Err(_) | Ok(0)) {
                return Poll::Ready(Err(LineError::CutOff));
            }
            if count? == 0 {
                let broken = self.broken.take().map(LineError::Io);
                return Poll::Ready(Err(broken.unwrap_or(LineError::Ended)));
            }
        }
    }

    /// Whether all of the request has been written, or nothing more of it ever will be.
    pub(super) fn is_sent(&self) -> bool {
        self.outgoing.is_sent() || self.broken.is_some()
    }

    /// Writes the request. Where the other side takes no more of it, what it has said may still be read.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LineError>> {
        if self.is_sent() {
            return Poll::Ready(Ok(()));
        }
        match ready!(self.outgoing.poll_send(&mut self.socket, cx)) {
            Err(LineError::Io(error)) => {
                self.broken = Some(error);
                Poll::Ready(Ok(()))
            }
            sent => Poll::Ready(sent),
        }
    }

    /// The next piece of the answer's body, or its trailers; none at its end.
    #[inline]
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, LineError>>> {
        let (reader, socket) = (&mut self.reader, &mut self.socket);
        self.incoming.poll_frame(reader, socket, cx)
    }

    /// The rest of the answer's body, if its length is known and all of it is here.
    #[inline]
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        self.incoming.rest(&mut self.reader)
    }

    /// Whether nothing is left of the answer.
    pub(super) const fn is_whole(&self) -> bool {
        self.incoming.is_whole()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    /// The connection as what it was switched to.
    pub(super) fn into_switched(mut self) -> Switched {
        let length = self.reader.bytes().len();
        Switched::new(self.reader.take(length), self.socket)
    }
}

fn response(head: Head) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.version_mut() = head.version;
    *response.headers_mut() = head.headers;
    if let Some(reason) = head.reason
        && let Ok(reason) = ReasonPhrase::try_from(reason)
    {
        response.extensions_mut().insert(reason);
    }
    response
}
