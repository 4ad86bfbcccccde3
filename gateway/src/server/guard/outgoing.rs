//! The writing side of a connection: the parser's bytes, and between two of its messages the interim answers it cannot write.
//!
//! Guarantees: an interim answer is written whole, and only where everything the parser had to write before is written. Must not:
//! change a byte of the parser's.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::Shared;
use crate::proxy::Interim;

/// Interim answers on their way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    shared: Rc<Shared>,
    interim: Arc<Interim>,
    bytes: Vec<u8>,
    written: usize,
}

impl Outgoing {
    pub(super) const fn new(shared: Rc<Shared>, interim: Arc<Interim>) -> Self {
        Self {
            shared,
            interim,
            bytes: Vec::new(),
            written: 0,
        }
    }

    /// Writes what the parser wants written.
    pub(super) fn poll_write<T: AsyncWrite + Unpin>(
        &mut self,
        inner: &mut T,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(inner, cx))?;
        self.shared.set_clear(false);
        Pin::new(inner).poll_write(cx, bytes)
    }

    /// The parser flushes when it has written all it had.
    pub(super) fn poll_flush<T: AsyncWrite + Unpin>(
        &mut self,
        inner: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.set_clear(true);
        ready!(self.poll_interim(inner, cx))?;
        self.interim.wake(cx.waker());
        Pin::new(inner).poll_flush(cx)
    }

    fn poll_interim<T: AsyncWrite + Unpin>(
        &mut self,
        inner: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            if !self.shared.is_clear() {
                return Poll::Ready(Ok(()));
            }
            match self.interim.take() {
                Some(bytes) => self.bytes = bytes,
                None => return Poll::Ready(Ok(())),
            }
        }
        while let Some(rest @ [_, ..]) = self.bytes.get(self.written..) {
            match ready!(Pin::new(&mut *inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        (self.bytes, self.written) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }
}
