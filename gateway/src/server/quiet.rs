//! A connection on which nothing happens: its socket, a few words about it, and no buffers.
//!
//! Guarantees: silence ends in its time, and soon once the process stops; what a client says is heard whole and handed on. Must not:
//! judge what is said, or hold memory for what is not.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::sleep;

use super::drain::{Phase, Signal};
use super::guard::DRAIN_GRACE;

/// What one read may bring: the head of most requests.
const FIRST: usize = 1024;

/// What the client says next, at most after `limit`; none when it said nothing in time, or left.
pub(super) async fn heard<T: AsyncRead + Unpin>(
    stream: &mut T,
    limit: Duration,
    drain: &mut Signal,
) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    tokio::select! {
        biased;
        read = read(stream, &mut said) => read.ok().filter(|count| *count > 0).map(|_| said),
        () = patience(limit, drain) => None,
    }
}

/// Appends what comes next to `said`, which takes no room until something does. How much it was; 0 at the end.
///
/// # Errors
/// The stream's.
pub(super) async fn read<T: AsyncRead + Unpin>(
    stream: &mut T,
    said: &mut Vec<u8>,
) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut place = [MaybeUninit::uninit(); FIRST];
        let mut buffer = ReadBuf::uninit(&mut place);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        said.extend_from_slice(buffer.filled());
        Ok(buffer.filled().len()).into()
    })
    .await
}

/// Waits for `limit`, and not for long once the process stops.
pub(super) async fn patience(limit: Duration, drain: &mut Signal) {
    let stopped = async {
        drain.reached(Phase::Drain).await;
        sleep(DRAIN_GRACE).await;
    };
    tokio::select! {
        () = sleep(limit) => {}
        () = stopped => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::super::drain::Drain;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(75);

    #[tokio::test(start_paused = true)]
    async fn the_next_words_are_heard_and_silence_ends_in_its_time() {
        let (mut client, mut server) = duplex(64);
        let drain = Drain::new();
        let mut signal = drain.signal();
        client.write_all(b"GET").await.unwrap();
        let said = heard(&mut server, LIMIT, &mut signal).await;
        assert_eq!(said.as_deref(), Some(&b"GET"[..]));
        let begun = Instant::now();
        assert_eq!(heard(&mut server, LIMIT, &mut signal).await, None);
        assert_eq!(begun.elapsed().as_secs(), LIMIT.as_secs());
        drain.enter(Phase::Drain);
        let begun = Instant::now();
        assert_eq!(heard(&mut server, LIMIT, &mut signal).await, None);
        assert_eq!(begun.elapsed().as_secs(), DRAIN_GRACE.as_secs());
        drop(client);
        assert_eq!(heard(&mut server, LIMIT, &mut signal).await, None);
    }
}
