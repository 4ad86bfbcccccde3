//! Interim answers (1xx), overheard on an HTTP/1.1 connection as they are read: the parser skips them.
//!
//! Guarantees: a whole head is told before the parser sees its last byte, and none once the final answer has begun; what is kept of
//! one has a bound; an answer that has none costs a look at its first ten bytes. Must not: change or hold back a byte.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How every interim answer begins; HTTP/1.0 has none (RFC 9110, section 15.2).
const BEGINNING: &[u8] = b"HTTP/1.1 1";
/// A larger head is not told, nor what follows it.
const MAX_HEAD: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;

/// Where interim answers are told.
pub trait Hints: Debug + Send + Sync {
    /// One came for `request`.
    fn hear(&self, request: u64, status: StatusCode, headers: HeaderMap);
}

/// Who wants those of one request.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where they are told.
    pub hints: Arc<dyn Hints>,
    /// The number of the request.
    pub request: u64,
}

/// The listener of a connection's exchange, from its request to its final answer. One thread uses it; hyper does not know that.
#[derive(Debug, Default)]
pub(super) struct Ears {
    open: AtomicBool,
    listener: Mutex<Option<Listener>>,
}

impl Ears {
    /// A request is to be sent: from now on what is read is an answer to it.
    pub(super) fn listen(&self, listener: Option<&Listener>) {
        if listener.is_some() || self.is_open() {
            *self.listener() = listener.cloned();
            self.open.store(listener.is_some(), Ordering::Relaxed);
        }
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
        *self.listener() = None;
    }

    fn tell(&self, status: StatusCode, headers: HeaderMap) {
        if let Some(Listener { hints, request }) = &*self.listener() {
            hints.hear(*request, status, headers);
        }
    }

    fn listener(&self) -> MutexGuard<'_, Option<Listener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose reader is overheard.
#[derive(Debug)]
pub(super) struct Overheard<T> {
    inner: T,
    ears: Arc<Ears>,
    /// The beginning of a head, of which the rest is to come.
    kept: Vec<u8>,
}

impl<T> Overheard<T> {
    pub(super) const fn new(inner: T, ears: Arc<Ears>) -> Self {
        Self {
            inner,
            ears,
            kept: Vec::new(),
        }
    }

    /// What was read while somebody listens.
    fn hear(&mut self, bytes: &[u8]) {
        if self.kept.is_empty() && !may_be_interim(bytes) {
            return self.ears.close();
        }
        self.kept.extend_from_slice(bytes);
        while !self.kept.is_empty() {
            match next(&self.kept) {
                Next::Unfinished => return,
                Next::Interim(length, status, headers) => {
                    self.ears.tell(status, headers);
                    self.kept = self.kept.split_off(length);
                }
                Next::Other => {
                    self.kept = Vec::new();
                    self.ears.close();
                }
            }
        }
    }
}

/// What some bytes of an answer begin with.
enum Next {
    /// An interim answer of so many bytes.
    Interim(usize, StatusCode, HeaderMap),
    /// An interim answer whose end is still to come, or too little to tell.
    Unfinished,
    /// The final answer, or nothing that anybody would want to be told.
    Other,
}

/// Whether what begins with `bytes` may be an interim answer.
fn may_be_interim(bytes: &[u8]) -> bool {
    let count = bytes.len().min(BEGINNING.len());
    bytes[..count] == BEGINNING[..count]
}

fn next(bytes: &[u8]) -> Next {
    if !may_be_interim(bytes) {
        return Next::Other;
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
            match status.filter(|&status| status != StatusCode::SWITCHING_PROTOCOLS) {
                Some(status) => Next::Interim(length, status, headers(head.headers)),
                None => Next::Other,
            }
        }
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => Next::Unfinished,
        Ok(httparse::Status::Partial) | Err(_) => Next::Other,
    }
}

fn headers(fields: &[httparse::Header<'_>]) -> HeaderMap {
    let known = fields.iter().filter_map(|field| {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(field.value).ok()?))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in known {
        headers.append(name, value);
    }
    headers
}

impl<T: AsyncRead + Unpin> AsyncRead for Overheard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        if self.ears.is_open() {
            self.hear(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Overheard<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    const FINAL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n";

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<(u64, u16, usize)>>);

    impl Hints for Heard {
        fn hear(&self, request: u64, status: StatusCode, headers: HeaderMap) {
            let one = (request, status.as_u16(), headers.len());
            self.0.lock().unwrap().push(one);
        }
    }

    /// What is heard of `bytes`, read `size` at a time, and whether there is an end to listening.
    fn heard(bytes: &str, size: usize) -> (Vec<(u64, u16, usize)>, bool) {
        let (heard, ears) = (Arc::<Heard>::default(), Arc::<Ears>::default());
        ears.listen(Some(&Listener {
            hints: Arc::clone(&heard) as Arc<dyn Hints>,
            request: 7,
        }));
        let mut stream = Overheard::new((), Arc::clone(&ears));
        for piece in bytes.as_bytes().chunks(size) {
            if ears.is_open() {
                stream.hear(piece);
            }
        }
        assert!(ears.is_open() || stream.kept.capacity() == 0);
        let all = heard.0.lock().unwrap().clone();
        (all, !ears.is_open())
    }

    #[test]
    fn what_comes_before_the_answer_is_heard_however_it_is_cut() {
        let bytes = format!("{HINT}HTTP/1.1 100 Continue\r\n\r\n{HINT}{FINAL}{HINT}");
        for size in 1..bytes.len() {
            let all = vec![(7, 103, 1), (7, 100, 0), (7, 103, 1)];
            assert_eq!(heard(&bytes, size), (all, true), "{size}");
        }
        assert_eq!(heard(FINAL, 3), (Vec::new(), true));
        assert_eq!(heard("HTTP/1.1 ", 100), (Vec::new(), false));
    }

    #[test]
    fn what_switches_is_an_answer_and_what_is_broken_or_endless_is_none() {
        let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: a\r\n\r\n";
        for other in [switch, "HTTP/1.1 1x3 No\r\n\r\n", "HTTP/1.0 103 No\r\n\r\n"] {
            assert_eq!(heard(&format!("{other}{HINT}"), 5), (Vec::new(), true));
        }
        let endless = format!("HTTP/1.1 103 Early Hints\r\nlink: {}", "x".repeat(MAX_HEAD));
        assert_eq!(heard(&endless, 1_000), (Vec::new(), true));
    }
}
