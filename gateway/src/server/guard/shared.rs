//! What the guard of a connection and the service behind the parser know of each other.
//!
//! Guarantees: a request is forwarded only if guard and parser have counted alike, so that two readings of one byte stream cannot
//! go apart unseen. Must not: be shared between threads.

use std::cell::Cell;
use std::rc::Rc;

use crate::proxy::Fault;

/// One connection's state.
#[derive(Debug, Default)]
pub(in super::super) struct Shared {
    /// Heads the guard let pass, a stand-in included.
    passed: Cell<u64>,
    /// Requests the parser made of them.
    served: Cell<u64>,
    refused: Cell<Option<Fault>>,
    busy: Cell<u32>,
    leaving: Cell<bool>,
    draining: Cell<bool>,
    tunnel: Cell<bool>,
    /// The parser has bytes that are not written.
    writing: Cell<bool>,
}

impl Shared {
    /// The guard let a head pass.
    pub(super) fn pass(&self) {
        self.passed.set(self.passed.get() + 1);
    }

    /// The guard let a stand-in pass, the last thing it does.
    pub(super) fn refuse(&self, fault: Fault) {
        self.pass();
        self.refused.set(Some(fault));
    }

    /// The parser has a request: is it one that was refused?
    pub(in super::super) fn serve(&self) -> Option<Fault> {
        let (served, passed) = (self.served.get() + 1, self.passed.get());
        self.served.set(served);
        if served > passed {
            return Some(Fault::Malformed("The request's framing is ambiguous."));
        }
        self.refused.get().filter(|_| served == passed)
    }

    /// Holds the connection busy until it is dropped.
    pub(in super::super) fn busy(this: &Rc<Self>) -> Busy {
        this.busy.set(this.busy.get() + 1);
        Busy(Rc::clone(this))
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.busy.get() > 0
    }

    /// The process is about to stop: answers say so.
    pub(in super::super) fn leave(&self) {
        self.leaving.set(true);
    }

    pub(in super::super) const fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    /// The process stops: idle connections are closed soon.
    pub(in super::super) fn drain(&self) {
        self.draining.set(true);
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Whether everything the parser had to write is written.
    pub(super) fn set_clear(&self, is_clear: bool) {
        self.writing.set(!is_clear);
    }

    pub(in super::super) const fn is_clear(&self) -> bool {
        !self.writing.get()
    }

    /// What follows is not HTTP.
    pub(in super::super) fn tunnel(&self) {
        self.tunnel.set(true);
    }

    pub(in super::super) const fn is_tunnel(&self) -> bool {
        self.tunnel.get()
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(in super::super) struct Busy(Rc<Shared>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
    }
}
