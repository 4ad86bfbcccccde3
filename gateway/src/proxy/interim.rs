//! Interim answers (1xx) of an upstream on their way to an HTTP/1.1 client: hyper's server has no words for them, so the connection's
//! guard writes them between two messages.
//!
//! Guarantees: they come before the final answer of their own request or not at all; their number and size have a bound; a
//! connection that expects none looks at one flag. Must not: pass on 100, which is the gateway's to say (RFC 9110, section 10.1.1), or
//! 101, which is final.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use super::headers::strip_hop_by_hop;
use crate::upstream::{Hints, Listener};

/// More of them than this for one request, or more bytes, are dropped.
const MAX_COUNT: u32 = 16;
const MAX_BYTES: usize = 16 * 1024;

/// What a client's connection has yet to write of interim answers. One thread uses it; the connection that tells it does not know that.
#[derive(Debug, Default)]
pub struct Interim {
    /// A request is out whose interim answers are wanted.
    listening: AtomicBool,
    /// There is something to write.
    pending: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The request that may add to it; one that was answered may not.
    request: u64,
    count: u32,
    bytes: Vec<u8>,
    task: Option<Waker>,
}

impl Interim {
    /// Wants what comes before the answer to the next request.
    pub(super) fn listen(this: &Arc<Self>) -> Listener {
        let mut queue = this.queue();
        queue.request += 1;
        queue.count = 0;
        queue.bytes.clear();
        this.listening.store(true, Ordering::Relaxed);
        Listener {
            hints: Arc::<Self>::clone(this),
            request: queue.request,
        }
    }

    /// The final answer is known. What was not written yet may go before it only if all before it is written (`is_clear`).
    pub fn conclude(&self, is_clear: bool) {
        if !self.listening.load(Ordering::Relaxed) {
            return;
        }
        let mut queue = self.queue();
        queue.request += 1;
        if !is_clear {
            queue.bytes.clear();
        }
        self.listening.store(false, Ordering::Relaxed);
        let is_pending = !queue.bytes.is_empty();
        self.pending.store(is_pending, Ordering::Relaxed);
    }

    /// What is to be written now; mostly nothing, for the price of a load.
    #[must_use]
    pub fn take(&self) -> Option<Vec<u8>> {
        if !self.pending.load(Ordering::Relaxed) {
            return None;
        }
        self.pending.store(false, Ordering::Relaxed);
        Some(std::mem::take(&mut self.queue().bytes))
    }

    /// Wakes `task` when there is more to write.
    pub fn wake(&self, task: &Waker) {
        if !self.listening.load(Ordering::Relaxed) {
            return;
        }
        let mut queue = self.queue();
        if !queue.task.as_ref().is_some_and(|own| own.will_wake(task)) {
            queue.task = Some(task.clone());
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hints for Interim {
    fn hear(&self, request: u64, status: StatusCode, headers: HeaderMap) {
        if matches!(
            status,
            StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS
        ) {
            return;
        }
        let mut queue = self.queue();
        if queue.request != request || queue.count >= MAX_COUNT {
            return;
        }
        let written = written(status, headers);
        if queue.bytes.len() + written.len() > MAX_BYTES {
            return;
        }
        queue.count += 1;
        queue.bytes.extend_from_slice(&written);
        self.pending.store(true, Ordering::Relaxed);
        if let Some(task) = &queue.task {
            task.wake_by_ref();
        }
    }
}

/// The message as it stands on the wire. An interim answer has no body (RFC 9110, section 15.2).
fn written(status: StatusCode, mut headers: HeaderMap) -> Vec<u8> {
    strip_hop_by_hop(&mut headers);
    headers.remove(CONTENT_LENGTH);
    let mut bytes = Vec::with_capacity(128);
    let reason = status.canonical_reason().unwrap_or_default();
    let _ = write!(bytes, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
    for (name, value) in &headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(interim: &Interim, number: u64) {
        interim.hear(number, StatusCode::EARLY_HINTS, HeaderMap::new());
    }

    #[test]
    fn what_comes_after_its_request_was_answered_is_dropped() {
        let interim = Arc::new(Interim::default());
        Interim::listen(&interim);
        hint(&interim, 1);
        assert_eq!(interim.take().unwrap(), b"HTTP/1.1 103 Early Hints\r\n\r\n");
        assert_eq!(interim.take(), None);
        interim.conclude(true);
        hint(&interim, 1);
        Interim::listen(&interim);
        hint(&interim, 1);
        assert_eq!(interim.take(), None);
        // Behind an answer that is not written yet there is no place for it.
        hint(&interim, 3);
        interim.conclude(false);
        assert_eq!(interim.take(), None);
    }

    #[test]
    fn there_is_a_bound_to_what_is_kept() {
        let interim = Arc::new(Interim::default());
        Interim::listen(&interim);
        for _ in 0..1_000 {
            hint(&interim, 1);
        }
        let kept = interim.take().unwrap().len();
        assert_eq!(kept, 16 * b"HTTP/1.1 103 Early Hints\r\n\r\n".len());
    }

    #[test]
    fn neither_100_nor_101_passes() {
        let interim = Arc::new(Interim::default());
        Interim::listen(&interim);
        for status in [StatusCode::CONTINUE, StatusCode::SWITCHING_PROTOCOLS] {
            interim.hear(1, status, HeaderMap::new());
        }
        assert_eq!(interim.take(), None);
    }
}
