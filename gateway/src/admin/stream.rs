//! The fleet as it changes: server-sent events, one a second.
//!
//! Guarantees: a slow reader gets fewer pictures, never older ones in a queue. Must not: outlive its connection.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Answer, text};
use super::board::Board;

/// Events until the client leaves; the first is the recent past. `place` is held until then.
pub(super) fn events(board: &Arc<Board>, place: OwnedSemaphorePermit) -> Answer {
    let past = event("past", &board.past());
    let fleets = stream::unfold(
        (Some(past), board.watch(), place),
        |(past, mut fleets, place)| async move {
            let bytes = match past {
                Some(past) => past,
                None => {
                    fleets.changed().await.ok()?;
                    let fleet = Arc::clone(&fleets.borrow_and_update());
                    event("fleet", &*fleet)
                }
            };
            Some((
                Ok::<_, Infallible>(Frame::data(bytes)),
                (None, fleets, place),
            ))
        },
    );
    let mut answer = text(StatusCode::OK, "").map(|_| StreamBody::new(fleets).boxed_unsync());
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn event(name: &str, value: &impl Serialize) -> Bytes {
    let text = serde_json::to_string(value).unwrap_or_default();
    format!("event: {name}\ndata: {text}\n\n").into()
}
