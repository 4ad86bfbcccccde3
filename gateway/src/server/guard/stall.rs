//! How long a client may take nothing of what is written to it.
//!
//! Guarantees: a client that takes a byte now and then is never cut off, one that takes none for the whole time is; one timer for the life
//! of a connection, and none for a client that keeps up. Must not: write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// One connection's patience with its reader.
#[derive(Debug)]
pub(in super::super) struct Stall {
    limit: Duration,
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    pub(in super::super) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            since: None,
            sleep: None,
        }
    }

    /// Something was taken.
    pub(in super::super) const fn restart(&mut self) {
        self.since = None;
    }

    /// What became of a write or a flush: an error where it has been waiting for too long.
    pub(in super::super) fn judge<V>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<V>>,
    ) -> Poll<io::Result<V>> {
        if outcome.is_ready() {
            self.restart();
            return outcome;
        }
        let end = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            if end <= sleep.deadline() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            sleep.as_mut().reset(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(75);

    #[tokio::test(start_paused = true)]
    async fn only_who_takes_nothing_for_the_whole_time_is_cut_off() {
        let mut stall = Stall::new(LIMIT);
        for _ in 0..3 {
            let stuck = poll_fn(|cx| stall.judge(cx, Poll::<io::Result<()>>::Pending));
            assert!(
                timeout(LIMIT - Duration::from_secs(1), stuck)
                    .await
                    .is_err()
            );
            advance(Duration::from_millis(10)).await;
            poll_fn(|cx| stall.judge(cx, Poll::Ready(Ok(()))))
                .await
                .unwrap();
        }
        let begun = Instant::now();
        let stuck = poll_fn(|cx| stall.judge(cx, Poll::<io::Result<()>>::Pending)).await;
        assert_eq!(stuck.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= LIMIT && begun.elapsed() < LIMIT + Duration::from_secs(1));
    }
}
