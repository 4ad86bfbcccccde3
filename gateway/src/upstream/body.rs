//! The response's body, streamed and never collected.
//!
//! Guarantees: a connection goes back to its pool only when both bodies of its exchange are complete. Must not: copy a byte.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::endpoint::{Endpoint, InFlight};
use super::idle::IdleTimer;
use super::link::Link;
use super::upload::UploadState;

/// Why a response body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream broke off.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// The upstream sent nothing for too long.
    #[error("no byte from the upstream for {0:?}")]
    Idle(Duration),
}

/// What comes from the upstream.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    exchange: Option<Exchange>,
    in_flight: Option<InFlight>,
    idle: IdleTimer,
}

/// The connection, kept with the body until it can be used again.
struct Exchange {
    endpoint: Rc<Endpoint>,
    link: Link,
    upload: Option<Rc<UploadState>>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl ResponseBody {
    #[inline]
    pub(super) fn new(
        incoming: Incoming,
        endpoint: &Rc<Endpoint>,
        mut link: Link,
        upload: Option<Rc<UploadState>>,
    ) -> Self {
        // An answer that nobody reads yet must not hold up a request that is still being sent.
        if let Link::Http1(line) = &mut link
            && upload.as_ref().is_some_and(|upload| !upload.complete.get())
        {
            line.let_go();
        }
        let idle = IdleTimer::new(endpoint.idle_timeout());
        let exchange = Exchange {
            endpoint: Rc::clone(endpoint),
            link,
            upload,
        };
        let mut body = Self {
            incoming,
            exchange: Some(exchange),
            in_flight: None,
            idle,
        };
        if body.incoming.is_end_stream() {
            body.complete();
        }
        body
    }

    #[inline]
    pub(super) fn holding(mut self, in_flight: InFlight) -> Self {
        self.in_flight = Some(in_flight);
        self
    }

    /// The response is whole: the connection is free, unless the upload still runs on it.
    fn complete(&mut self) {
        if let Some(Exchange {
            endpoint,
            link,
            upload,
        }) = self.exchange.take()
            && upload.is_none_or(|upload| upload.complete.get())
        {
            endpoint.pool().put(link);
        }
        self.in_flight = None;
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Self {
            incoming, exchange, ..
        } = this;
        let polled = match exchange {
            Some(Exchange {
                link: Link::Http1(line),
                ..
            }) => line.poll_until(cx, |own| Pin::new(&mut *incoming).poll_frame(own)),
            _ => Pin::new(incoming).poll_frame(cx),
        };
        let frame = match polled {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let idle = ready!(this.idle.poll(cx));
                this.exchange = None;
                return Poll::Ready(Some(Err(BodyError::Idle(idle))));
            }
        };
        this.idle.touch();
        match &frame {
            None => this.complete(),
            Some(Ok(_)) if this.incoming.is_end_stream() => this.complete(),
            Some(Ok(_)) => {}
            Some(Err(_)) => this.exchange = None,
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
