//! What the guard of a connection, its requests and its keeper know of each other. Must not: be shared between threads.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

/// Requests a client may take back before anybody counts.
const TAKEN_BACK: u64 = 200;

/// Why a connection should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is in flight and nothing came for long enough.
    Idle,
    /// A head did not come in its time.
    Slow,
    /// Too much came that asks for work and carries nothing on, or too many requests were taken back.
    Flood,
}

/// One connection's state.
#[derive(Debug, Default)]
pub(super) struct Shared {
    busy: Cell<u32>,
    asked: Cell<u64>,
    taken_back: Cell<u64>,
    draining: Cell<bool>,
    blocked: Cell<bool>,
    calm: Cell<bool>,
    verdict: Cell<Option<Verdict>>,
    passed: Notify,
}

impl Shared {
    /// Passes a verdict; its hearer acts on it.
    pub(super) fn pass(&self, verdict: Verdict) {
        self.verdict.set(Some(verdict));
        self.passed.notify_one();
    }

    /// The next verdict.
    pub(super) async fn verdict(&self) -> Verdict {
        loop {
            if let Some(verdict) = self.verdict.take() {
                return verdict;
            }
            self.passed.notified().await;
        }
    }

    /// A request, until its answer is handed over.
    pub(super) fn ask(this: &Rc<Self>) -> Asked {
        this.busy.set(this.busy.get() + 1);
        this.asked.set(this.asked.get() + 1);
        Asked {
            shared: Rc::clone(this),
            is_answered: false,
        }
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.busy.get() > 0
    }

    /// The connection ends: idling is over soon.
    pub(super) fn drain(&self) {
        self.draining.set(true);
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Whether what we say fits on the wire now. While it does not, the client is reading, or not; either way it is not idle.
    pub(super) fn block(&self, is_blocked: bool) {
        self.blocked.set(is_blocked);
    }

    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// The client is to be told that it asks for too much.
    pub(super) fn calm(&self) {
        self.calm.set(true);
    }

    /// Whether it is to be told now.
    pub(super) fn take_calm(&self) -> bool {
        self.calm.take()
    }

    /// A request was taken back before its answer began: an attack when most are (CVE-2023-44487).
    fn take_back(&self) {
        let count = self.taken_back.get() + 1;
        self.taken_back.set(count);
        if count > TAKEN_BACK && count > self.asked.get() / 2 {
            self.pass(Verdict::Flood);
        }
    }
}

/// A request that is being answered. Dropped without an answer, it was taken back.
#[derive(Debug)]
pub(super) struct Asked {
    shared: Rc<Shared>,
    is_answered: bool,
}

impl Asked {
    /// The connection it came on.
    pub(super) fn connection(&self) -> Rc<Shared> {
        Rc::clone(&self.shared)
    }

    /// The answer begins.
    pub(super) const fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.shared.busy.set(self.shared.busy.get() - 1);
        if !self.is_answered {
            self.shared.take_back();
        }
    }
}
