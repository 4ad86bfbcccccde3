//! A copy of a request's body, taken as it passes, for whoever sends it elsewhere too.
//!
//! Guarantees: no byte is copied, only kept, up to a cap; beyond it everything kept is let go. Must not: hold back a byte.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;

/// What a kept piece costs beside its bytes, so that a cap on bytes is one on memory too.
const PIECE: usize = 64;

/// Where the copy grows.
#[derive(Clone, Debug)]
pub struct Tap(Rc<RefCell<Copied>>);

#[derive(Debug)]
struct Copied {
    room: usize,
    pieces: VecDeque<Bytes>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Growing,
    Whole,
    TooLarge,
}

/// What a tap has.
#[derive(Debug)]
pub enum Tapped {
    /// All of the body.
    Whole(VecDeque<Bytes>),
    /// It was larger than the cap.
    TooLarge,
    /// It has not come to its end.
    Unfinished,
}

impl Tap {
    /// A tap that keeps at most `cap` bytes.
    pub(super) fn new(cap: usize) -> Self {
        Self(Rc::new(RefCell::new(Copied {
            room: cap,
            pieces: VecDeque::new(),
            state: State::Growing,
        })))
    }

    /// Keeps a piece.
    pub(super) fn keep(&self, piece: &Bytes) {
        let mut copied = self.0.borrow_mut();
        if copied.state != State::Growing {
            return;
        }
        match copied.room.checked_sub(piece.len() + PIECE) {
            Some(room) => {
                copied.room = room;
                copied.pieces.push_back(piece.clone());
            }
            None => {
                copied.state = State::TooLarge;
                copied.pieces = VecDeque::new();
            }
        }
    }

    /// There is no more.
    pub(super) fn end(&self) {
        let mut copied = self.0.borrow_mut();
        if copied.state == State::Growing {
            copied.state = State::Whole;
        }
    }

    /// Takes what it has.
    #[must_use]
    pub fn take(self) -> Tapped {
        let mut copied = self.0.borrow_mut();
        match copied.state {
            State::Whole => Tapped::Whole(std::mem::take(&mut copied.pieces)),
            State::TooLarge => Tapped::TooLarge,
            State::Growing => Tapped::Unfinished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_or_nothing() {
        let tap = Tap::new(200);
        let kept = tap.clone();
        tap.keep(&Bytes::from_static(b"one"));
        assert!(matches!(tap.clone().take(), Tapped::Unfinished));
        tap.keep(&Bytes::from_static(b"two"));
        tap.end();
        match kept.take() {
            Tapped::Whole(pieces) => assert_eq!(pieces, ["one", "two"]),
            other => panic!("{other:?}"),
        }
        let small = Tap::new(200);
        small.keep(&Bytes::from(vec![0; 137]));
        small.end();
        assert!(matches!(small.take(), Tapped::TooLarge));
    }
}
