//! The body of an answer: the gateway's own bytes or the upstream's stream, perhaps compressed, with the record of the request
//! inside.
//!
//! Guarantees: the record closes at the last byte, or when the client leaves; nothing is collected. Must not: change a byte
//! of the content, but by its coding.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::cache::Relay;
use super::circuit::LateFailure;
use super::compress::Encoder;
use super::headers::strip_trailers;
use super::record::Record;
use crate::upstream::ResponseBody;

/// What the client is sent.
#[derive(Debug)]
pub struct Body {
    source: Source,
    /// When the route's total timeout cuts the answer.
    end: Option<Pin<Box<Sleep>>>,
    // Boxed, as the next: a response is moved a dozen times on its way out.
    encoder: Option<Box<Encoder>>,
    record: Option<Box<Record>>,
}

#[derive(Debug)]
enum Source {
    Local(Bytes),
    Upstream(ResponseBody, Option<LateFailure>),
    /// Boxed: a route that keeps nothing need not move it.
    Relayed(Box<Relay>),
}

impl Body {
    /// A body that is already here.
    #[must_use]
    pub fn local(bytes: impl Into<Bytes>) -> Self {
        Self {
            source: Source::Local(bytes.into()),
            end: None,
            encoder: None,
            record: None,
        }
    }

    /// A body that streams from upstream until `end`; if it breaks, `late` tells the circuit.
    #[inline]
    pub(super) fn upstream(
        body: ResponseBody,
        late: Option<LateFailure>,
        end: Option<Instant>,
    ) -> Self {
        Self {
            source: Source::Upstream(body, late),
            end: end.map(|end| Box::pin(sleep_until(end))),
            encoder: None,
            record: None,
        }
    }

    /// The body with its upstream's stream exchanged for what `relay` makes of it; none is exchanged where there is none.
    pub(super) fn relayed(
        mut self,
        relay: impl FnOnce(ResponseBody, Option<LateFailure>) -> Relay,
    ) -> Self {
        self.source = match self.source {
            Source::Upstream(body, late) => Source::Relayed(Box::new(relay(body, late))),
            other => other,
        };
        self
    }

    /// The upstream's stream, and whom to tell if it breaks; none for a body that is another.
    pub(super) fn into_upstream(self) -> Option<(ResponseBody, Option<LateFailure>)> {
        match self.source {
            Source::Upstream(body, late) => Some((body, late)),
            Source::Local(_) | Source::Relayed(_) => None,
        }
    }

    /// The body as `encoder` makes it.
    pub(super) fn encoded(mut self, encoder: Encoder) -> Self {
        self.encoder = Some(Box::new(encoder));
        self
    }

    /// The body that closes `record` when it ends.
    #[inline]
    pub(super) fn recorded(mut self, mut record: Box<Record>) -> Self {
        if http_body::Body::is_end_stream(&self) {
            record.complete();
        }
        self.record = Some(record);
        self
    }

    /// The same answer without its content, as HEAD wants it.
    #[must_use]
    pub fn without_content(self) -> Self {
        let mut record = self.record;
        if let Some(record) = &mut record {
            record.complete();
        }
        Self {
            source: Source::Local(Bytes::new()),
            end: None,
            encoder: None,
            record,
        }
    }

    fn poll_encoded(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(end) = &mut self.end
            && end.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err("the route's total timeout is over".into())));
        }
        match &mut self.encoder {
            None => self.source.poll(cx),
            Some(encoder) => encoder.poll(cx, |cx| self.source.poll(cx)),
        }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn local_bytes(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Local(bytes) => Some(bytes),
            Source::Upstream(..) | Source::Relayed(_) => None,
        }
    }
}

impl Source {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Local(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Local(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Upstream(body, late) => {
                let frame = ready!(http_body::Body::poll_frame(Pin::new(body), cx));
                let failed = match &frame {
                    Some(Err(_)) => true,
                    Some(Ok(frame)) => frame.trailers_ref().is_some_and(|trailers| {
                        late.as_ref().is_some_and(|late| late.is_told_by(trailers))
                    }),
                    None => false,
                };
                if failed && let Some(late) = late.take() {
                    late.report();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Self::Relayed(relay) => relay.poll_frame(cx),
        }
    }
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let mut frame = ready!(this.poll_encoded(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            strip_trailers(trailers);
        }
        if let Some(record) = &mut this.record {
            match &frame {
                Some(Ok(frame)) => record.sent(frame.data_ref().map_or(0, Bytes::len)),
                Some(Err(_)) => record.broke(),
                None => record.complete(),
            }
        }
        if http_body::Body::is_end_stream(this)
            && let Some(record) = &mut this.record
        {
            record.complete();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        if let Some(encoder) = &self.encoder {
            return encoder.is_done();
        }
        match &self.source {
            Source::Local(bytes) => bytes.is_empty(),
            Source::Upstream(body, _) => body.is_end_stream(),
            Source::Relayed(relay) => relay.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.encoder.is_some() {
            return SizeHint::default();
        }
        match &self.source {
            Source::Local(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Upstream(body, _) => body.size_hint(),
            Source::Relayed(relay) => relay.size_hint(),
        }
    }
}
