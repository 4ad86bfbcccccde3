//! The two bodies of an exchange, streamed and never collected.
//!
//! Guarantees: a connection goes back to its pool only when both bodies are complete; an upload's end is known to whoever must
//! tell the client's fault from the upstream's. Must not: copy a byte.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::endpoint::{Endpoint, InFlight};
use super::link::Link;

/// What a client did wrong with its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadFault {
    /// It broke off, or broke the framing.
    #[error("the client's request body ended early")]
    Broken,
    /// It sent more than is allowed.
    #[error("the client's request body is too large")]
    TooLarge,
    /// It sent too slowly.
    #[error("the client's request body is too slow")]
    TooSlow,
}

/// What a client may do with its body.
#[derive(Clone, Copy, Debug)]
pub struct UploadBounds {
    /// Bytes in all.
    pub size: u64,
    /// How long it may be waited for: in all, but for what [`MIN_RATE`] pays back.
    pub patience: Duration,
}

/// Bytes that buy a second of patience, so that a trickle does not hold an upstream's connection for ever.
const MIN_RATE: u32 = 256;

/// How far the request body got.
#[derive(Debug)]
pub struct UploadState {
    bounds: UploadBounds,
    complete: Cell<bool>,
    fault: Cell<Option<UploadFault>>,
    left: Cell<u64>,
    pace: RefCell<Pace>,
}

impl UploadState {
    fn new(bounds: UploadBounds) -> Self {
        Self {
            bounds,
            complete: Cell::new(false),
            fault: Cell::new(None),
            left: Cell::new(bounds.size),
            pace: RefCell::new(Pace::new(bounds.patience)),
        }
    }

    /// What the client did wrong, if it did.
    #[must_use]
    pub const fn fault(&self) -> Option<UploadFault> {
        self.fault.get()
    }

    /// Whether it is the client that everybody waits for.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pace.borrow().since.is_some()
    }

    fn fail(&self, fault: UploadFault) -> UploadFault {
        self.fault.set(Some(fault));
        fault
    }

    /// Takes note of a frame with `length` bytes of content.
    fn received(&self, length: usize) -> Result<(), UploadFault> {
        self.pace.borrow_mut().moved(length, self.bounds.patience);
        match self.left.get().checked_sub(length as u64) {
            Some(left) => self.left.set(left),
            None => return Err(self.fail(UploadFault::TooLarge)),
        }
        Ok(())
    }
}

/// Patience spent while nothing comes, and earned by what does.
#[derive(Debug)]
struct Pace {
    left: Duration,
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    const fn new(left: Duration) -> Self {
        Self {
            left,
            since: None,
            sleep: None,
        }
    }

    fn moved(&mut self, length: usize, most: Duration) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            let earned = Duration::from_secs(1) * length / MIN_RATE;
            self.left = (self.left + earned).min(most);
        }
    }

    /// Ready when patience is at its end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = *self.since.get_or_insert_with(Instant::now) + self.left;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if sleep.deadline() != end {
            sleep.as_mut().reset(end);
        }
        sleep.as_mut().poll(cx)
    }
}

/// What goes to the upstream.
#[derive(Debug)]
pub enum RequestBody {
    /// No body.
    Empty,
    /// The client's body as it arrives.
    Streaming(Incoming, Rc<UploadState>),
}

impl RequestBody {
    /// The client's body; empty when its framing says so.
    #[must_use]
    pub fn new(incoming: Incoming, bounds: UploadBounds) -> Self {
        if incoming.is_end_stream() {
            Self::Empty
        } else {
            Self::Streaming(incoming, Rc::new(UploadState::new(bounds)))
        }
    }

    /// Whether the same body can be sent again.
    #[must_use]
    pub const fn is_replayable(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(super) fn upload(&self) -> Option<Rc<UploadState>> {
        match self {
            Self::Empty => None,
            Self::Streaming(_, state) => Some(Rc::clone(state)),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        let Self::Streaming(incoming, state) = self.get_mut() else {
            return Poll::Ready(None);
        };
        let frame = match Pin::new(&mut *incoming).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(state.pace.borrow_mut().poll(cx));
                return Poll::Ready(Some(Err(state.fail(UploadFault::TooSlow))));
            }
        };
        Poll::Ready(match frame {
            None => {
                state.complete.set(true);
                None
            }
            Some(Err(_)) => Some(Err(state.fail(UploadFault::Broken))),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                if let Err(fault) = state.received(length) {
                    return Poll::Ready(Some(Err(fault)));
                }
                if incoming.is_end_stream() {
                    state.complete.set(true);
                }
                Some(Ok(frame))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming(incoming, _) => incoming.size_hint(),
        }
    }
}

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
    pub(super) fn new(
        incoming: Incoming,
        endpoint: &Rc<Endpoint>,
        link: Link,
        upload: Option<Rc<UploadState>>,
    ) -> Self {
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
        let frame = match Pin::new(&mut this.incoming).poll_frame(cx) {
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

/// A timer that most bodies never start: it is made at the first wait and moved on only when it fires.
#[derive(Debug)]
struct IdleTimer {
    limit: Duration,
    touched: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    const fn new(limit: Duration) -> Self {
        Self {
            limit,
            touched: None,
            sleep: None,
        }
    }

    fn touch(&mut self) {
        if self.sleep.is_some() {
            self.touched = Some(Instant::now());
        }
    }

    /// Ready with the limit once nothing came for that long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let limit = self.limit;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            match self.touched.take() {
                Some(touched) => sleep.as_mut().reset(touched + limit),
                None => return Poll::Ready(limit),
            }
        }
    }
}
