//! The request's body, streamed and never collected.
//!
//! Guarantees: it is held to the bounds of its size and pace; its end is known to whoever must tell the client's fault from the
//! upstream's. Must not: copy a byte.

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

use super::replay::Sending;
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
    pub(super) complete: Cell<bool>,
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

    /// Another attempt sends the body from its beginning.
    pub(super) fn begin(&self) {
        self.complete.set(false);
    }

    /// All of it has been handed to the attempt's connection.
    pub(super) fn end(&self) {
        self.complete.set(true);
    }

    /// The client has sent all of it.
    fn whole(&self) {
        self.end();
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
    /// The client's body as it arrives, kept as it passes so that another attempt can send it again.
    Kept(Sending),
    /// A body that is already here.
    Whole(VecDeque<Bytes>, Rc<UploadState>),
}

impl RequestBody {
    /// The client's body; empty when there is none, or its framing says so.
    #[must_use]
    pub fn new(incoming: Option<Incoming>, bounds: UploadBounds) -> Self {
        match incoming {
            Some(incoming) if !incoming.is_end_stream() => {
                Self::Streaming(incoming, Rc::new(UploadState::new(bounds)))
            }
            _ => Self::Empty,
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

    /// Has what passes of the client's body kept too, up to `cap` bytes; none for a body that has not to be waited for.
    #[must_use]
    pub fn tap(&self, cap: usize) -> Option<Tap> {
        let upload = self.upload()?;
        let tap = Tap::new(cap);
        upload.tap.replace(Some(tap.clone()));
        Some(tap)
    }

    /// The body that can be sent again as long as no more than `cap` bytes of it have been read. With a cap of 0, or of less than the
    /// body's declared length, that is as long as nothing was.
    #[must_use]
    pub fn keeping(self, cap: usize) -> Self {
        match self {
            Self::Streaming(incoming, state) => {
                let fits = incoming.size_hint().lower() <= cap as u64;
                Self::Kept(Sending::new(incoming, state, if fits { cap } else { 0 }))
            }
            other => other,
        }
    }

    /// The same body for another attempt, from its beginning; none when it cannot be repeated.
    #[must_use]
    pub fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Streaming(..) | Self::Whole(..) => None,
            Self::Kept(sending) => Some(Self::Kept(sending.again())),
        }
    }

    /// Whether the same body can still be sent again.
    #[must_use]
    pub fn is_replayable(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming(..) | Self::Whole(..) => false,
            Self::Kept(sending) => sending.is_replayable(),
        }
    }

    pub(super) fn upload(&self) -> Option<Rc<UploadState>> {
        match self {
            Self::Empty => None,
            Self::Streaming(_, state) | Self::Whole(_, state) => Some(Rc::clone(state)),
            Self::Kept(sending) => Some(Rc::clone(sending.upload())),
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
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Streaming(incoming, state) => poll_client(incoming, state, cx),
            Self::Kept(sending) => Pin::new(sending).poll_frame(cx),
            Self::Whole(pieces, state) => Poll::Ready(next_piece(pieces, state)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming(incoming, _) => incoming.is_end_stream(),
            Self::Kept(sending) => sending.is_end_stream(),
            Self::Whole(pieces, _) => pieces.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming(incoming, _) => incoming.size_hint(),
            Self::Kept(sending) => sending.size_hint(),
            Self::Whole(pieces, _) => {
                SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum())
            }
        }
    }
}

/// The next frame of the client's body, held to its bounds.
pub(super) fn poll_client(
    incoming: &mut Incoming,
    state: &UploadState,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
    let frame = match Pin::new(&mut *incoming).poll_frame(cx) {
        Poll::Ready(frame) => frame,
        Poll::Pending => {
            ready!(state.pace.borrow_mut().poll(cx));
            return Poll::Ready(Some(Err(state.fail(UploadFault::TooSlow))));
        }
    };
    Poll::Ready(match frame {
        None => {
            state.whole();
            None
        }
        Some(Err(_)) => Some(Err(state.fail(UploadFault::Broken))),
        Some(Ok(frame)) => {
            if let Err(fault) = state.received(&frame) {
                return Poll::Ready(Some(Err(fault)));
            }
            if incoming.is_end_stream() {
                state.whole();
            }
            Some(Ok(frame))
        }
    })
}

/// The next piece of a body that is already here.
fn next_piece(
    pieces: &mut VecDeque<Bytes>,
    state: &UploadState,
) -> Option<Result<Frame<Bytes>, UploadFault>> {
    let piece = pieces.pop_front();
    if pieces.is_empty() {
        state.end();
    }
    piece.map(|piece| Ok(Frame::data(piece)))
}
