//! A body that is compressed while it streams.
//!
//! Guarantees: whenever the source pauses, all that it sent goes out: no event of a stream waits for the next one. What is held is
//! a coding's window, at most 256 KiB, and what one piece of the source becomes. Must not: look at the content.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use async_compression::{Level, brotli, zstd};
use bytes::Bytes;
use http_body::Frame;
use tokio::io::AsyncWrite;

use crate::proxy::body::BoxError;
use crate::proxy::settings::{Coding, CompressionLevel};

/// The window of Brotli and zstd, as a power of two.
const WINDOW: u8 = 18;

/// Compresses one body.
pub(in crate::proxy) struct Encoder {
    coding: Coder,
    /// Whether something was written that may not have come out yet.
    holds: bool,
    end: End,
}

enum Coder {
    Gzip(GzipEncoder<Vec<u8>>),
    Brotli(Box<BrotliEncoder<Vec<u8>>>),
    Zstd(ZstdEncoder<Vec<u8>>),
}

#[derive(Debug)]
enum End {
    /// The source has more.
    Open,
    /// Only its trailers are left.
    Trailers(Frame<Bytes>),
    Done,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl Coder {
    fn new(coding: Coding, level: CompressionLevel) -> Self {
        let of = |fast, balanced, small| {
            Level::Precise(match level {
                CompressionLevel::Fast => fast,
                CompressionLevel::Balanced => balanced,
                CompressionLevel::Small => small,
            })
        };
        let out = Vec::new();
        match coding {
            Coding::Gzip => Self::Gzip(GzipEncoder::with_quality(out, of(1, 5, 9))),
            Coding::Brotli => {
                let params = brotli::EncoderParams::default()
                    .quality(of(1, 4, 8))
                    .window_size(WINDOW.into());
                Self::Brotli(Box::new(BrotliEncoder::with_params(out, params)))
            }
            Coding::Zstd => {
                let window = zstd::CParameter::window_log(WINDOW.into());
                let level = of(1, 3, 9);
                let coder = ZstdEncoder::with_quality_and_params(out, level, &[window]);
                Self::Zstd(coder)
            }
        }
    }

    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        Pin::new(match self {
            Self::Gzip(one) => one,
            Self::Brotli(one) => &mut **one,
            Self::Zstd(one) => one,
        })
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(one) => one.get_mut(),
            Self::Brotli(one) => one.get_mut(),
            Self::Zstd(one) => one.get_mut(),
        }
    }
}

impl Encoder {
    pub(super) fn new(coding: Coding, level: CompressionLevel) -> Self {
        Self {
            coding: Coder::new(coding, level),
            holds: false,
            end: End::Open,
        }
    }

    /// Whether nothing more will come.
    pub(in crate::proxy) const fn is_done(&self) -> bool {
        matches!(self.end, End::Done)
    }

    /// The next frame, made of what `next` gives.
    pub(in crate::proxy) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut next: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match std::mem::replace(&mut self.end, End::Done) {
                End::Open => self.end = End::Open,
                End::Trailers(frame) => return Poll::Ready(Some(Ok(frame))),
                End::Done => return Poll::Ready(None),
            }
            let frame = match next(cx) {
                Poll::Ready(frame) => frame.transpose()?,
                Poll::Pending if self.holds => {
                    self.holds = false;
                    ready!(self.coding.writer().poll_flush(cx))?;
                    match self.taken() {
                        Some(data) => return Poll::Ready(Some(Ok(data))),
                        None => return Poll::Pending,
                    }
                }
                Poll::Pending => return Poll::Pending,
            };
            match frame.map(Frame::into_data) {
                Some(Ok(data)) => ready!(self.write(cx, &data))?,
                end => {
                    ready!(self.coding.writer().poll_shutdown(cx))?;
                    self.end = match end {
                        Some(Err(trailers)) => End::Trailers(trailers),
                        _ => End::Done,
                    };
                }
            }
            if let Some(data) = self.taken() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    /// A buffer takes everything at once, so this is never pending.
    fn write(&mut self, cx: &mut Context<'_>, mut data: &[u8]) -> Poll<io::Result<()>> {
        while !data.is_empty() {
            let count = ready!(self.coding.writer().poll_write(cx, data))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            data = data.get(count..).unwrap_or_default();
            self.holds = true;
        }
        Poll::Ready(Ok(()))
    }

    fn taken(&mut self) -> Option<Frame<Bytes>> {
        let out = std::mem::take(self.coding.out());
        (!out.is_empty()).then(|| Frame::data(out.into()))
    }
}
