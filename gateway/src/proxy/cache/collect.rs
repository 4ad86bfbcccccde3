//! An answer on its way to its client, collected on the way.
//!
//! Guarantees: the client is sent each piece as it comes; a slow client holds up nobody who waits for the answer, and one that leaves
//! does not waste what was begun; what is too large, or breaks off, is not kept. Bounded by what an answer may have. Must not: keep
//! trailers, and so nothing that has them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cache::{Answer, Class, Fill};
use crate::proxy::circuit::LateFailure;
use crate::upstream::ResponseBody;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A piece of an answer.
pub(super) enum Piece {
    Frame(Frame<Bytes>),
    /// The answer will not be kept: here is the rest of it as it comes.
    Rest(ResponseBody, Option<LateFailure>),
    Broken(BoxError),
    End,
}

/// What a client reads while it is collected.
pub(in crate::proxy) struct Relay {
    pieces: UnboundedReceiver<Piece>,
    rest: Option<(ResponseBody, Option<LateFailure>)>,
    left: Option<u64>,
    ended: bool,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// What a fill will keep, but for the content.
pub(super) struct Filling {
    pub(super) fill: Box<Fill>,
    pub(super) class: Class,
    /// The request's fields.
    pub(super) asked: HeaderMap,
    /// The answer's, its content still empty.
    pub(super) answer: Answer,
}

/// Collects `body` for `filling` and hands it on to the client.
pub(super) fn relay(filling: Filling, body: ResponseBody, late: Option<LateFailure>) -> Relay {
    let (client, pieces) = unbounded_channel();
    let left = body.size_hint().exact();
    let ended = body.is_end_stream();
    tokio::task::spawn_local(async move {
        collect(filling, body, late, Some(&client)).await;
    });
    Relay {
        pieces,
        rest: None,
        left,
        ended,
    }
}

/// Collects a body to its end and keeps the answer, unless it is not for keeping.
pub(super) async fn collect(
    filling: Filling,
    mut body: ResponseBody,
    mut late: Option<LateFailure>,
    client: Option<&UnboundedSender<Piece>>,
) {
    let tell = |piece| client.is_some_and(|client| client.send(piece).is_ok());
    let mut collected = filling.fill.collect();
    loop {
        let frame = match body.frame().await {
            None => break,
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                if let Some(late) = late.take() {
                    late.report();
                }
                tell(Piece::Broken(error.into()));
                filling.fill.failed(None);
                return;
            }
        };
        let may_keep = match frame.data_ref() {
            Some(data) => collected.add(data),
            None => false,
        };
        tell(Piece::Frame(frame));
        if !may_keep {
            filling.fill.pass();
            tell(Piece::Rest(body, late));
            return;
        }
    }
    tell(Piece::End);
    let Filling {
        fill,
        class,
        asked,
        mut answer,
    } = filling;
    answer.body = collected.bytes();
    fill.keep(&class, &asked, answer).await;
}

impl Relay {
    pub(in crate::proxy) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some((body, late)) = &mut self.rest {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                if let (Some(Err(_)), Some(late)) = (&frame, late.take()) {
                    late.report();
                }
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(self.pieces.poll_recv(cx)) {
                Some(Piece::Frame(frame)) => {
                    let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                    self.left = self.left.map(|left| left.saturating_sub(length));
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Piece::Rest(body, late)) => self.rest = Some((body, late)),
                Some(Piece::Broken(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Piece::End) => self.ended = true,
                // Whoever collected was stopped: what came is not the whole.
                None => {
                    self.ended = true;
                    return Poll::Ready(Some(Err("stopped".into())));
                }
            }
        }
    }

    pub(in crate::proxy) fn is_end_stream(&self) -> bool {
        match &self.rest {
            Some((body, _)) => body.is_end_stream(),
            None => self.ended,
        }
    }

    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
