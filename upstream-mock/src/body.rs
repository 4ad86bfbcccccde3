//! The bodies a mock answers with. Guarantees: none costs more memory than one 64 KiB block, shared by all of them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

static BLOCK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// The mock broke the exchange off: the connection is to be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broken off on request")]
pub(crate) struct BrokenOff;

/// A response's body.
pub(crate) enum Body {
    /// All of it at once.
    Whole(Bytes),
    /// So many bytes.
    Filler(u64),
    /// So many bytes of a longer declared length, and a break.
    Cut {
        declared: u64,
        left: u64,
        pause: Pin<Box<Sleep>>,
        after: Duration,
    },
    /// Lines with a wait between them.
    Lines {
        sent: u32,
        of: u32,
        clock: Option<Interval>,
        /// Whether they are server-sent events.
        events: bool,
    },
    /// What the client sends, as it comes, then a gRPC status of 0.
    Grpc(Option<Incoming>),
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// Declares `length`, sends half of it and breaks off `after` that.
    pub(crate) fn cut(length: u64, after: Duration) -> Self {
        let pause = Box::pin(tokio::time::sleep(after));
        Self::Cut {
            declared: length,
            left: length / 2,
            pause,
            after,
        }
    }

    /// `of` lines, one `every` so often.
    pub(crate) fn lines(of: u32, every: Duration) -> Self {
        let clock = (!every.is_zero()).then(|| {
            let mut clock = tokio::time::interval(every);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            clock
        });
        Self::Lines {
            sent: 0,
            of,
            clock,
            events: false,
        }
    }

    /// `of` server-sent events, one `every` so often.
    pub(crate) fn events(of: u32, every: Duration) -> Self {
        let mut lines = Self::lines(of, every);
        if let Self::Lines { events, .. } = &mut lines {
            *events = true;
        }
        lines
    }
}

/// Takes as much filler as fits one frame.
fn filler(left: &mut u64) -> Bytes {
    let size = usize::try_from(*left).map_or(BLOCK.len(), |left| left.min(BLOCK.len()));
    *left -= size as u64;
    Bytes::from_static(BLOCK.get(..size).unwrap_or_default())
}

/// The next piece of what the client sends, told back at once, or the trailers that end it.
fn grpc(
    body: &mut Option<Incoming>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
    while let Some(incoming) = body {
        match ready!(Pin::new(incoming).poll_frame(context)) {
            Some(Ok(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
            Some(Ok(_)) => {}
            Some(Err(_)) => return Poll::Ready(Some(Err(BrokenOff))),
            None => {
                *body = None;
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
        }
    }
    Poll::Ready(None)
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let data = match &mut *self {
            Self::Whole(data) if data.is_empty() => return Poll::Ready(None),
            Self::Whole(data) => std::mem::take(data),
            Self::Filler(0) => return Poll::Ready(None),
            Self::Filler(left) => filler(left),
            Self::Cut { left: 0, pause, .. } => {
                ready!(pause.as_mut().poll(context));
                return Poll::Ready(Some(Err(BrokenOff)));
            }
            Self::Cut {
                left, pause, after, ..
            } => {
                let data = filler(left);
                // Counted from the last byte handed over, however long a slow reader took for those before.
                pause.as_mut().reset(Instant::now() + *after);
                data
            }
            Self::Lines { sent, of, .. } if sent == of => return Poll::Ready(None),
            Self::Grpc(body) => return grpc(body, context),
            Self::Lines {
                sent,
                clock,
                events,
                ..
            } => {
                if let Some(clock) = clock {
                    ready!(clock.poll_tick(context));
                }
                *sent += 1;
                Bytes::from(if *events {
                    format!("id: {sent}\ndata: event {sent}\n\n")
                } else {
                    format!("chunk {sent}\n")
                })
            }
        };
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(data) => data.is_empty(),
            Self::Filler(left) => *left == 0,
            Self::Cut { .. } => false,
            Self::Lines { sent, of, .. } => sent == of,
            Self::Grpc(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(data) => SizeHint::with_exact(data.len() as u64),
            Self::Filler(left) => SizeHint::with_exact(*left),
            Self::Cut { declared, .. } => SizeHint::with_exact(*declared),
            // Unknown, so that it goes out chunked.
            Self::Lines { .. } | Self::Grpc(_) => SizeHint::default(),
        }
    }
}
