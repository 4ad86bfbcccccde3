//! What has been read of a connection and not been used yet.
//!
//! Guarantees: bytes are handed out as they lie, without a copy; what is read at once grows with what comes, up to a bound. Must not:
//! read what nobody waits for.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, ReadBuf};

use crate::upstream::socket::Socket;

/// Room for a read: at first, and at most. A head and a small body fit in the first.
const LEAST: usize = 8 * 1024;
const MOST: usize = 128 * 1024;

/// See above.
#[derive(Debug)]
pub(super) struct Reader {
    bytes: BytesMut,
    room: usize,
    /// The last read left most of its room: two such in turn, and the next has less.
    was_small: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            bytes: BytesMut::new(),
            room: LEAST,
            was_small: false,
        }
    }
}

impl Reader {
    /// What is here.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the first `count` bytes of what is here.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        self.bytes.split_to(count).freeze()
    }

    /// Lets go of the memory that waits for the next read.
    pub(super) fn shrink(&mut self) {
        if self.bytes.is_empty() {
            *self = Self::default();
        }
    }

    /// Reads more; ready with how much, which is nothing at the end.
    #[inline]
    pub(super) fn poll_fill(
        &mut self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() - self.bytes.len() < self.room / 2 {
            self.bytes.reserve(self.room);
        }
        let room = self.bytes.capacity() - self.bytes.len();
        let count = ready!(pin!(socket.read_buf(&mut self.bytes)).poll(cx))?;
        self.adapt(count, room);
        Poll::Ready(Ok(count))
    }

    fn adapt(&mut self, count: usize, room: usize) {
        if count >= room {
            self.room = (self.room * 2).min(MOST);
            self.was_small = false;
        } else if count > self.room / 2 || self.room == LEAST {
            self.was_small = false;
        } else if std::mem::replace(&mut self.was_small, true) {
            self.room = (self.room / 2).max(LEAST);
        }
    }
}

/// Whether nothing has come of a connection of which nothing is to come: what came, or its end, is the end of its use.
pub(super) fn is_silent(socket: &mut Socket, cx: &mut Context<'_>) -> bool {
    let mut one = [0; 1];
    let mut buffer = ReadBuf::new(&mut one);
    Pin::new(socket).poll_read(cx, &mut buffer).is_pending()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_follows_what_comes() {
        let mut reader = Reader::default();
        for _ in 0..10 {
            reader.adapt(reader.room, reader.room);
        }
        assert_eq!(reader.room, MOST);
        reader.adapt(100, MOST);
        reader.adapt(MOST, MOST);
        reader.adapt(100, MOST);
        assert_eq!(reader.room, MOST);
        for _ in 0..10 {
            reader.adapt(100, MOST);
        }
        assert_eq!(reader.room, LEAST);
    }
}
