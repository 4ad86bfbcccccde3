//! The body of an answer, as it is read (RFC 9112, sections 6 and 7.1).
//!
//! Guarantees: data is handed out as it lies; a body that ends early is an error and not a shorter body; trailers have a bound. Must
//! not: read past the end of the message.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};

use super::LineError;
use super::head::End;
use super::reader::Reader;
use crate::policy::chunked::{Chunks, Part};
use crate::upstream::socket::Socket;

/// The most trailers of an answer.
const MAX_TRAILERS: usize = 64;

/// How much of a body is still to come.
#[derive(Debug, Default)]
pub(super) enum Incoming {
    /// Nothing.
    #[default]
    Whole,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Box<Chunked>),
    /// Whatever comes until the connection ends.
    Close,
}

/// Where in its chunks a body is.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    chunks: Chunks,
    trailers: Vec<u8>,
}

/// What chunks that have been read hold.
enum Found {
    /// Too little to tell.
    Nothing,
    Data(Bytes),
    /// The last of them, and perhaps trailers.
    End(Option<HeaderMap>),
}

impl Chunked {
    fn find(&mut self, reader: &mut Reader) -> Result<Found, LineError> {
        while !reader.bytes().is_empty() {
            let is_trailer = self.chunks.is_past_data();
            let part = self.chunks.part(reader.bytes());
            match part {
                Part::Data(count) => return Ok(Found::Data(reader.take(count))),
                Part::Broken(_) => return Err(LineError::Framing),
                Part::Coding(count) | Part::End(count) => {
                    let bytes = reader.take(count);
                    if is_trailer {
                        self.trailers.extend_from_slice(&bytes);
                    }
                }
            }
            if matches!(part, Part::End(_)) {
                return trailers(&self.trailers).map(Found::End);
            }
        }
        Ok(Found::Nothing)
    }
}

fn trailers(bytes: &[u8]) -> Result<Option<HeaderMap>, LineError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILERS];
    let fields = match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete((_, fields))) => fields,
        Ok(httparse::Status::Partial) => return Err(LineError::Framing),
        Err(httparse::Error::TooManyHeaders) => return Err(LineError::TooLarge),
        Err(error) => return Err(LineError::Malformed(error)),
    };
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) else {
            return Err(LineError::Framing);
        };
        trailers.append(name, value);
    }
    Ok((!trailers.is_empty()).then_some(trailers))
}

impl Incoming {
    pub(super) fn new(end: End) -> Self {
        match end {
            End::Length(0) => Self::Whole,
            End::Length(length) => Self::Length(length),
            End::Chunked => Self::Chunked(Box::default()),
            End::Close => Self::Close,
        }
    }

    /// Whether there is no more.
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole => SizeHint::with_exact(0),
            Self::Length(length) => SizeHint::with_exact(*length),
            Self::Chunked(_) | Self::Close => SizeHint::default(),
        }
    }

    /// The rest of the body, if its length is known and all of it has been read already.
    #[inline]
    pub(super) fn rest(&mut self, reader: &mut Reader) -> Option<Bytes> {
        let length = match self {
            Self::Length(length) => usize::try_from(*length).ok()?,
            _ => return None,
        };
        (reader.bytes().len() >= length).then(|| {
            *self = Self::Whole;
            reader.take(length)
        })
    }

    /// The next piece of the body, or its trailers; none at its end.
    pub(super) fn poll_frame(
        &mut self,
        reader: &mut Reader,
        socket: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, LineError>>> {
        while !self.is_whole() {
            if reader.bytes().is_empty() && ready!(reader.poll_fill(socket, cx))? == 0 {
                return Poll::Ready(self.ended().err().map(Err));
            }
            let frame = match self {
                Self::Whole => None,
                Self::Close => Some(Frame::data(reader.take(reader.bytes().len()))),
                Self::Length(_) => Some(Frame::data(self.piece(reader))),
                Self::Chunked(chunked) => match chunked.find(reader)? {
                    Found::Nothing => None,
                    Found::Data(data) => Some(Frame::data(data)),
                    Found::End(trailers) => {
                        *self = Self::Whole;
                        trailers.map(Frame::trailers)
                    }
                },
            };
            if let Some(frame) = frame {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
        Poll::Ready(None)
    }

    /// What is here of a body whose length is known.
    fn piece(&mut self, reader: &mut Reader) -> Bytes {
        let here = reader.bytes().len();
        let Self::Length(left) = self else {
            return Bytes::new();
        };
        let count = usize::try_from(*left).unwrap_or(usize::MAX).min(here);
        *left -= count as u64;
        if *left == 0 {
            *self = Self::Whole;
        }
        reader.take(count)
    }

    /// The connection has ended, and the body with it, or too early.
    fn ended(&mut self) -> Result<(), LineError> {
        match self {
            Self::Length(_) | Self::Chunked(_) => Err(LineError::CutOff),
            Self::Close | Self::Whole => {
                *self = Self::Whole;
                Ok(())
            }
        }
    }
}
