//! The two bodies of an exchange, streamed and never collected.
//!
//! Guarantees: a connection goes back to its pool only when both bodies are complete; an upload's end is known to whoever must
//! tell the client's fault from the upstream's. Must not: copy a byte.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::endpoint::{Endpoint, InFlight};
use super::idle::IdleTimer;
use super::link::Link;
use super::tap::Tap;

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
    tap: RefCell<Option<Tap>>,
}

impl UploadState {
    fn new(bounds: UploadBounds) -> Self {
        Self {
            bounds,
            complete: Cell::new(false),
            fault: Cell::new(None),
            left: Cell::new(bounds.size),
            pace: RefCell::new(Pace::new(bounds.patience)),
            tap: RefCell::new(None),
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

    /// The client has sent all of it.
    fn whole(&self) {
        if let Some(tap) = &*self.tap.borrow() {
            tap.end();
        }
    }

    fn fail(&self, fault: UploadFault) -> UploadFault {
        self.fault.set(Some(fault));
        fault
    }

    /// Takes note of what a frame holds.
    fn received(&self, frame: &Frame<Bytes>) -> Result<(), UploadFault> {
        let length = frame.data_ref().map_or(0, Bytes::len);
        self.pace.borrow_mut().moved(length, self.bounds.patience);
        match self.left.get().checked_sub(length as u64) {
            Some(left) => self.left.set(left),
            None => return Err(self.fail(UploadFault::TooLarge)),
        }
        if let (Some(tap), Some(data)) = (&*self.tap.borrow(), frame.data_ref()) {
            tap.keep(data);
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
    /// A body that is already here.
    Whole(VecDeque<Bytes>, Rc<UploadState>),
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

    /// A body that is already here.
    #[must_use]
    pub fn whole(pieces: VecDeque<Bytes>) -> Self {
        let unbounded = UploadBounds {
            size: u64::MAX,
            patience: Duration::ZERO,
        };
        Self::Whole(pieces, Rc::new(UploadState::new(unbounded)))
    }

    /// Has what passes of a streaming body kept too, up to `cap` bytes; none for a body that has not to be waited for.
    #[must_use]
    pub fn tap(&self, cap: usize) -> Option<Tap> {
        let upload = self.upload()?;
        let tap = Tap::new(cap);
        upload.tap.replace(Some(tap.clone()));
        Some(tap)
    }

    /// Whether the same body can be sent again.
    #[must_use]
    pub const fn is_replayable(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(super) fn upload(&self) -> Option<Rc<UploadState>> {
        match self {
            Self::Empty => None,
            Self::Streaming(_, state) | Self::Whole(_, state) => Some(Rc::clone(state)),
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
        let (incoming, state) = match self.get_mut() {
            Self::Empty => return Poll::Ready(None),
            Self::Whole(pieces, state) => return Poll::Ready(next_piece(pieces, state)),
            Self::Streaming(incoming, state) => (incoming, state),
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
                state.whole();
                None
            }
            Some(Err(_)) => Some(Err(state.fail(UploadFault::Broken))),
            Some(Ok(frame)) => {
                if let Err(fault) = state.received(&frame) {
                    return Poll::Ready(Some(Err(fault)));
                }
                if incoming.is_end_stream() {
                    state.complete.set(true);
                    state.whole();
                }
                Some(Ok(frame))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming(incoming, _) => incoming.is_end_stream(),
            Self::Whole(pieces, _) => pieces.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming(incoming, _) => incoming.size_hint(),
            Self::Whole(pieces, _) => {
                SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum())
            }
        }
    }
}

/// The next piece of a body that is already here.
fn next_piece(
    pieces: &mut VecDeque<Bytes>,
    state: &UploadState,
) -> Option<Result<Frame<Bytes>, UploadFault>> {
    let piece = pieces.pop_front();
    if pieces.is_empty() {
        state.complete.set(true);
    }
    piece.map(|piece| Ok(Frame::data(piece)))
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
