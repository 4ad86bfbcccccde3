//! The bytes' way to an endpoint: in clear text, or by TLS.
//!
//! Guarantees: one type for both, so that a connection costs no virtual call for each read and write. Must not: know what is said.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

#[cfg(any(test, feature = "fuzzing"))]
use super::line::fuzzing::Said;

/// A connected socket.
#[derive(Debug)]
pub(super) enum Socket {
    /// In clear text.
    Plain(TcpStream),
    /// By TLS; boxed, for its state is large.
    Tls(Box<TlsStream<TcpStream>>),
    /// Not at all: what would be read is here.
    #[cfg(any(test, feature = "fuzzing"))]
    Said(Said),
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(any(test, feature = "fuzzing"))]
            Self::Said(said) => Pin::new(said).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(any(test, feature = "fuzzing"))]
            Self::Said(said) => Pin::new(said).poll_write(cx, bytes),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // A socket keeps nothing back.
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(any(test, feature = "fuzzing"))]
            Self::Said(said) => Pin::new(said).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(any(test, feature = "fuzzing"))]
            Self::Said(said) => Pin::new(said).poll_shutdown(cx),
        }
    }
}
