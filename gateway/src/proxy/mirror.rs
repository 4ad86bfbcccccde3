//! A copy of a request to a second upstream, to see what it makes of real traffic.
//!
//! Guarantees: the request waits for nothing here and never fails by it; copies under way and the bytes kept for them are bounded,
//! and what is beyond is dropped and counted; answers are read and dropped. Must not: tell a circuit anything: a copy is nobody's
//! request.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts as Head;
use http::{HeaderValue, Request};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use tokio::time::Instant;

use super::circuit::Guarded;
use super::forward;
use super::settings::MirrorSettings;
use crate::telemetry::Counter;
use crate::telemetry::metrics::Metrics;
use crate::upstream::{Patience, PickHint, RequestBody, Tap, Tapped};

/// The mirror of one route, on one thread.
#[derive(Debug)]
pub(super) struct Mirror {
    upstream: usize,
    share: f64,
    max_in_flight: usize,
    max_body: usize,
    in_flight: Rc<Cell<usize>>,
    counts: Rc<Counts>,
}

#[derive(Debug)]
struct Counts {
    answered: Arc<Counter>,
    failed: Arc<Counter>,
    dropped: Arc<Counter>,
    too_large: Arc<Counter>,
    unfinished: Arc<Counter>,
}

/// A copy that waits for the end of its request's body.
pub(super) struct Waiting {
    copy: Copy,
    tap: Tap,
}

/// A copy about to be sent.
struct Copy {
    head: Head,
    upstream: Rc<Guarded>,
    counts: Rc<Counts>,
    slot: Slot,
}

/// A place among the copies under way.
struct Slot(Rc<Cell<usize>>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Mirror {
    pub(super) fn new(
        settings: &MirrorSettings,
        upstream: usize,
        route: &str,
        metrics: &Metrics,
    ) -> Self {
        let count = |result: &str| metrics.http.mirrored.with(&[route, result]);
        let counts = Counts {
            answered: count("answered"),
            failed: count("failed"),
            dropped: count("dropped"),
            too_large: count("too_large"),
            unfinished: count("unfinished"),
        };
        Self {
            upstream,
            share: settings.share,
            max_in_flight: settings.max_in_flight,
            max_body: settings.max_body,
            in_flight: Rc::default(),
            counts: Rc::new(counts),
        }
    }

    /// Copies a request, if it is among those that are. One without a body is sent at once; any other waits.
    pub(super) fn copy(
        &self,
        upstreams: &[Rc<Guarded>],
        request: &Request<RequestBody>,
    ) -> Option<Waiting> {
        let upstream = upstreams.get(self.upstream)?;
        if fastrand::f64() >= self.share || request.headers().contains_key(UPGRADE) {
            return None;
        }
        let length = request.body().size_hint().lower();
        if usize::try_from(length).map_or(true, |length| length > self.max_body) {
            self.counts.too_large.inc();
            return None;
        }
        if self.in_flight.get() >= self.max_in_flight || upstream.is_shut() {
            self.counts.dropped.inc();
            return None;
        }
        self.in_flight.set(self.in_flight.get() + 1);
        let copy = Copy {
            head: head(request),
            upstream: Rc::clone(upstream),
            counts: Rc::clone(&self.counts),
            slot: Slot(Rc::clone(&self.in_flight)),
        };
        match request.body().tap(self.max_body) {
            Some(tap) => Some(Waiting { copy, tap }),
            None => {
                copy.send(RequestBody::Empty);
                None
            }
        }
    }
}

impl Waiting {
    /// Sends the copy, if the request's body came to its end and was not too large.
    pub(super) fn send(self) {
        let Self { mut copy, tap } = self;
        match tap.take() {
            Tapped::Whole(pieces) => {
                let length: usize = pieces.iter().map(bytes::Bytes::len).sum();
                let headers = &mut copy.head.headers;
                headers.remove(TRANSFER_ENCODING);
                headers.remove(TRAILER);
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                copy.send(RequestBody::whole(pieces));
            }
            Tapped::TooLarge => copy.counts.too_large.inc(),
            Tapped::Unfinished => copy.counts.unfinished.inc(),
        }
    }
}

fn head(request: &Request<RequestBody>) -> Head {
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy.into_parts().0
}

impl Copy {
    /// In a task of its own: nobody waits for it.
    fn send(self, body: RequestBody) {
        tokio::task::spawn_local(async move {
            let Self {
                head,
                upstream,
                counts,
                slot,
            } = self;
            let request = Box::new(Request::from_parts(head, body));
            match exchange(&upstream, request).await {
                Some(()) => counts.answered.inc(),
                None => counts.failed.inc(),
            }
            drop(slot);
        });
    }
}

/// Sends a copy and reads its answer to the end, for no longer than the upstream may take to a head.
async fn exchange(upstream: &Guarded, mut request: Box<Request<RequestBody>>) -> Option<()> {
    let upstream = upstream.upstream();
    let endpoint = upstream.pick(PickHint {
        hash: None,
        tried: &[],
    })?;
    forward::address(&mut request, &endpoint);
    let patience = Patience {
        limit: upstream.timeout(),
        is_telling: true,
    };
    let began = Instant::now();
    let answer = upstream
        .send(&endpoint, request, patience, began, None)
        .await
        .ok()?;
    let mut body = answer.into_body();
    let read = async {
        while let Some(frame) = body.frame().await {
            frame.ok()?;
        }
        Some(())
    };
    tokio::time::timeout(upstream.timeout(), read).await.ok()?
}
