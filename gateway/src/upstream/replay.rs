//! A request body that can be sent again: what the client sent is kept as it passes on, up to a cap.
//!
//! Guarantees: no byte is copied, only kept; beyond the cap everything kept is let go and the body can no longer be repeated; of
//! two attempts that hold the body only the later one reads it. Must not: read ahead of the attempt that sends.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::upload::{UploadFault, UploadState, poll_client};

/// What a kept piece costs beside its bytes, so that a cap on bytes is one on memory too.
const PIECE: usize = 64;

/// The client's body and what is kept of it.
#[derive(Debug)]
struct Replay {
    incoming: RefCell<Incoming>,
    upload: Rc<UploadState>,
    kept: RefCell<Kept>,
    /// The attempt that reads.
    turn: Cell<u32>,
}

#[derive(Debug)]
struct Kept {
    room: usize,
    pieces: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    /// The client has sent all of it.
    whole: bool,
    /// It was more than the cap.
    over: bool,
}

impl Kept {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
        }
        let Some(data) = frame.data_ref().filter(|_| !self.over) else {
            return;
        };
        match self.room.checked_sub(data.len() + PIECE) {
            Some(room) => {
                self.room = room;
                self.pieces.push(data.clone());
            }
            None => {
                self.over = true;
                self.pieces = Vec::new();
            }
        }
    }
}

/// One attempt's copy of the body.
#[derive(Debug)]
pub struct Sending {
    replay: Rc<Replay>,
    turn: u32,
    /// The next kept piece to send.
    next: usize,
    done: bool,
}

impl Sending {
    pub(super) fn new(incoming: Incoming, upload: Rc<UploadState>, cap: usize) -> Self {
        let kept = Kept {
            room: cap,
            pieces: Vec::new(),
            trailers: None,
            whole: false,
            over: false,
        };
        let replay = Replay {
            incoming: RefCell::new(incoming),
            upload,
            kept: RefCell::new(kept),
            turn: Cell::new(0),
        };
        Self {
            replay: Rc::new(replay),
            turn: 0,
            next: 0,
            done: false,
        }
    }

    /// The same body for the next attempt, from its beginning.
    pub(super) fn again(&self) -> Self {
        Self {
            replay: Rc::clone(&self.replay),
            turn: self.turn + 1,
            next: 0,
            done: false,
        }
    }

    pub(super) fn is_replayable(&self) -> bool {
        !self.replay.kept.borrow().over
    }

    pub(super) fn upload(&self) -> &Rc<UploadState> {
        &self.replay.upload
    }

    /// Whether this attempt may read: a connection that an earlier attempt left behind must not take what is this one's.
    fn takes_its_turn(&self) -> bool {
        let turn = self.replay.turn.get();
        if self.turn > turn {
            self.replay.turn.set(self.turn);
            self.replay.upload.begin();
        }
        self.turn >= turn
    }

    fn end(&mut self) {
        self.done = true;
        self.replay.upload.end();
    }

    fn kept(&mut self) -> Option<Frame<Bytes>> {
        let replay = Rc::clone(&self.replay);
        let kept = replay.kept.borrow();
        let piece = kept.pieces.get(self.next).cloned();
        let frame = match piece {
            Some(piece) => {
                self.next += 1;
                Frame::data(piece)
            }
            None if kept.whole => {
                let trailers = kept.trailers.clone();
                self.end();
                return trailers.map(Frame::trailers);
            }
            None => return None,
        };
        if kept.whole && self.next == kept.pieces.len() && kept.trailers.is_none() {
            self.end();
        }
        Some(frame)
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = UploadFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(None);
        }
        if !this.takes_its_turn() {
            return Poll::Ready(Some(Err(UploadFault::Broken)));
        }
        if let Some(frame) = this.kept() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if this.done {
            return Poll::Ready(None);
        }
        let replay = Rc::clone(&this.replay);
        let mut incoming = replay.incoming.borrow_mut();
        let frame = ready!(poll_client(&mut incoming, &replay.upload, cx));
        let mut kept = replay.kept.borrow_mut();
        match &frame {
            Some(Ok(frame)) => {
                kept.keep(frame);
                this.next = kept.pieces.len();
                kept.whole = incoming.is_end_stream() || frame.is_trailers();
            }
            Some(Err(_)) => {}
            None => kept.whole = true,
        }
        this.done = kept.whole;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.done
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.replay.kept.borrow();
        let unsent = kept.pieces.iter().skip(self.next).map(Bytes::len);
        let unsent = unsent.sum::<usize>() as u64;
        let rest = self.replay.incoming.borrow().size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(unsent));
        }
        hint.set_lower(rest.lower().saturating_add(unsent));
        hint
    }
}
