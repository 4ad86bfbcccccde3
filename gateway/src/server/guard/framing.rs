//! Where each message of a connection begins and ends.
//!
//! Guarantees: agrees with RFC 9112, section 6.3, and knows no third way. Must not: do I/O or keep bytes.

use super::Shared;
use super::head::{self, Body, Head, Limits};
use crate::policy::chunked::{Chunks, Step};
use crate::proxy::Fault;

#[derive(Debug)]
pub(super) struct Framing {
    limits: Limits,
    state: State,
    /// How much of an incomplete head has been searched for its end.
    searched: usize,
}

#[derive(Debug)]
enum State {
    Head,
    Length(u64),
    Chunked(Chunks),
}

/// Why no more bytes pass for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All did.
    Passed,
    /// The rest is a part of a head.
    Incomplete,
    /// The rest begins with a head that is refused.
    Refused(Fault),
    /// The rest breaks the body's framing: the body cannot be completed.
    Broken,
}

impl Framing {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head,
            searched: 0,
        }
    }

    /// Whether the next byte would be the first of a head.
    pub(super) const fn between_messages(&self) -> bool {
        matches!(self.state, State::Head)
    }

    /// Follows `bytes`, which go on where those that passed before ended. How many pass, and what stops the rest.
    pub(super) fn feed(&mut self, bytes: &[u8], shared: &Shared) -> (usize, Outcome) {
        let mut passed = 0;
        loop {
            let rest = bytes.get(passed..).unwrap_or_default();
            if rest.is_empty() {
                return (passed, Outcome::Passed);
            }
            match &mut self.state {
                State::Length(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= here as u64;
                    passed += here;
                    if *left == 0 {
                        self.state = State::Head;
                    }
                }
                State::Chunked(chunks) => match chunks.follow(rest) {
                    Step::More => return (bytes.len(), Outcome::Passed),
                    Step::End(here) => {
                        passed += here;
                        self.state = State::Head;
                    }
                    Step::Broken(here) => return (passed + here, Outcome::Broken),
                },
                State::Head => match head::read(rest, self.searched, &self.limits) {
                    Ok(Some(Head { length, body })) => {
                        shared.pass();
                        passed += length;
                        self.searched = 0;
                        self.state = match body {
                            Body::None => State::Head,
                            Body::Length(length) => State::Length(length),
                            Body::Chunked => State::Chunked(Chunks::default()),
                        };
                    }
                    Ok(None) => {
                        self.searched = rest.len();
                        return (passed, Outcome::Incomplete);
                    }
                    Err(fault) => return (passed, Outcome::Refused(fault)),
                },
            }
        }
    }
}
