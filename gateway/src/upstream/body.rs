//! The response's body, streamed and never collected.
//!
//! Guarantees: a connection goes back to its pool only when both messages of its exchange are complete, and then at once: not only when
//! the client has taken the answer. Must not: copy a byte.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::endpoint::{Endpoint, InFlight};
use super::held::Held;
use super::idle::IdleTimer;
use super::line::{Line, Switched};
use super::link::Broken;
use super::multiplexed::Stream;

/// Why a response body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream broke off.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The upstream sent nothing for too long.
    #[error("no byte from the upstream for {0:?}")]
    Idle(Duration),
}

/// What comes from the upstream.
#[derive(Debug)]
pub struct ResponseBody {
    source: Source,
    in_flight: Option<InFlight>,
    idle: IdleTimer,
}

/// Where the rest of a body is.
#[derive(Debug)]
enum Source {
    /// Here, all of it.
    Here(Bytes),
    /// On a connection that goes back to its endpoint afterwards.
    Line(Held, Rc<Endpoint>),
    /// On a stream beside others, which is held as long.
    Stream(
        Incoming,
        #[expect(dead_code, reason = "it counts until it is dropped")] Stream,
    ),
    /// Nowhere: the connection is no longer HTTP.
    Switched(Box<Line>),
}

impl ResponseBody {
    fn new(source: Source, idle: Duration) -> Self {
        Self {
            source,
            in_flight: None,
            idle: IdleTimer::new(idle),
        }
    }

    /// The body of the answer that has begun on `line`.
    #[inline]
    pub(super) fn line(line: Box<Line>, endpoint: &Rc<Endpoint>) -> Self {
        let mut held = Held::new(line);
        let rest = held.rest();
        let source = if held.is_whole() {
            give_back(held, endpoint);
            Source::Here(rest.unwrap_or_default())
        } else {
            Source::Line(held, Rc::clone(endpoint))
        };
        Self::new(source, endpoint.idle_timeout())
    }

    /// That of the answer that has begun on `stream`.
    pub(super) fn stream(incoming: Incoming, stream: Stream, endpoint: &Endpoint) -> Self {
        let source = if incoming.is_end_stream() {
            Source::Here(Bytes::new())
        } else {
            Source::Stream(incoming, stream)
        };
        Self::new(source, endpoint.idle_timeout())
    }

    /// That of an answer that has none, because its connection is no longer HTTP.
    pub(super) fn switched(line: Box<Line>, endpoint: &Endpoint) -> Self {
        Self::new(Source::Switched(line), endpoint.idle_timeout())
    }

    /// The connection, if it is no longer HTTP.
    #[must_use]
    pub fn take_switched(&mut self) -> Option<Switched> {
        match self.take() {
            Source::Switched(line) => Some(line.into_switched()),
            other => {
                self.source = other;
                None
            }
        }
    }

    #[inline]
    pub(super) fn holding(mut self, in_flight: InFlight) -> Self {
        if !self.is_over() {
            self.in_flight = Some(in_flight);
        }
        self
    }

    fn take(&mut self) -> Source {
        std::mem::replace(&mut self.source, Source::Here(Bytes::new()))
    }

    /// Whether all that there was has been handed out.
    fn is_over(&self) -> bool {
        matches!(&self.source, Source::Here(rest) if rest.is_empty())
    }

    /// The next frame of a body that is not here yet.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.source {
            Source::Line(held, _) => {
                let polled = held.poll_frame(cx);
                polled.map(|frame| frame.map(|frame| frame.map_err(Broken::from)))
            }
            Source::Stream(incoming, _) => {
                let polled = Pin::new(incoming).poll_frame(cx);
                polled.map(|frame| frame.map(|frame| frame.map_err(Broken::from)))
            }
            Source::Here(_) | Source::Switched(_) => Poll::Ready(None),
        }
    }

    /// Lets go of what a complete body needs no more.
    fn settle(&mut self) {
        let is_whole = match &mut self.source {
            Source::Line(held, _) => held.is_whole(),
            Source::Stream(incoming, _) => incoming.is_end_stream(),
            Source::Here(_) | Source::Switched(_) => false,
        };
        if is_whole && let Source::Line(held, endpoint) = self.take() {
            give_back(held, &endpoint);
        }
    }
}

fn give_back(held: Held, endpoint: &Endpoint) {
    if let Some(line) = held.into_line() {
        endpoint.pool().put(line);
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
        if let Source::Here(rest) = &mut this.source {
            let rest = std::mem::take(rest);
            this.in_flight = None;
            return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
        }
        let frame = match this.poll_next(cx) {
            Poll::Ready(frame) => frame.map(|frame| frame.map_err(BodyError::from)),
            Poll::Pending => Some(Err(BodyError::Idle(ready!(this.idle.poll(cx))))),
        };
        this.idle.touch();
        match &frame {
            Some(Ok(_)) => this.settle(),
            Some(Err(_)) => drop(this.take()),
            None => {
                this.settle();
                drop(this.take());
            }
        }
        if this.is_over() {
            this.in_flight = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Here(rest) => SizeHint::with_exact(rest.len() as u64),
            Source::Line(held, _) => held.size_hint(),
            Source::Stream(incoming, _) => incoming.size_hint(),
            Source::Switched(_) => SizeHint::with_exact(0),
        }
    }
}
