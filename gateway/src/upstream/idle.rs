//! How long a response's body may be silent. Must not: look at what it says.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A timer that most bodies never start: it is made at the first wait and moved on only when it fires.
#[derive(Debug)]
pub(super) struct IdleTimer {
    limit: Duration,
    touched: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    pub(super) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            touched: None,
            sleep: None,
        }
    }

    pub(super) fn touch(&mut self) {
        if self.sleep.is_some() {
            self.touched = Some(Instant::now());
        }
    }

    /// Ready with the limit once nothing came for that long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let limit = self.limit;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            match self.touched.take() {
                Some(touched) => sleep.as_mut().reset(touched + limit),
                None => return Poll::Ready(limit),
            }
        }
    }
}
