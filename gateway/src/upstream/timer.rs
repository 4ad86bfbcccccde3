//! A timer for one deadline after another.
//!
//! Guarantees: what nearly always ends before its deadline does not touch the runtime's timers each time: they hear only of a deadline
//! that is earlier than all before it, and when it fires too early it is moved on. Must not: be polled by two tasks in turns and relied
//! on by both; the one that polls last is woken.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// See above.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready once it is `deadline`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if deadline <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::time::{advance, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_deadline_is_kept_whatever_came_before() {
        let mut timer = Timer::default();
        for millis in [10_000, 20_000, 500, 600, 30_000] {
            let span = Duration::from_millis(millis);
            let (begun, deadline) = (Instant::now(), Instant::now() + span);
            let early = poll_fn(|cx| timer.poll(cx, deadline));
            assert!(timeout(span / 2, early).await.is_err());
            poll_fn(|cx| timer.poll(cx, deadline)).await;
            let late = begun.elapsed().saturating_sub(span);
            assert!(late < Duration::from_millis(5), "{millis}: {late:?}");
            advance(Duration::from_millis(1)).await;
        }
    }
}
