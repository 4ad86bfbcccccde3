//! Connections that stop being HTTP: WebSocket and whatever else a client asks for and the upstream grants.
//!
//! Guarantees: not a byte is relayed before the upstream's 101, and none that the client sent before it saw one; a tunnel ends
//! when a side does, when it is idle for too long, or when the process stops. Must not: know what is spoken.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use http::header::{CONNECTION, HeaderMap, UPGRADE};
use http::request::Parts as Head;
use http::{HeaderValue, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use super::http2;
use super::record::Record;
use crate::upstream::{Received, Switched};

/// What is read at once in each direction.
const BUFFER: usize = 16 * 1024;

/// What a request asks to be switched to, if it does, and may.
pub(super) fn wanted(head: &Head) -> Option<HeaderValue> {
    let mut protocols = head.headers.get_all(UPGRADE).iter();
    let protocol = protocols.next()?;
    let single = protocols.next().is_none() && !protocol.as_bytes().contains(&b',');
    // A switch to HTTP/2 in clear text would carry requests past every check (RFC 9113 has withdrawn it).
    let allowed = single && !protocol.as_bytes().eq_ignore_ascii_case(b"h2c");
    let may = head.version == Version::HTTP_11 || http2::is_switch(head);
    (allowed && may && nominates_upgrade(&head.headers)).then(|| protocol.clone())
}

fn nominates_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// Asks the next hop for `protocol`, after this hop's own fields were taken off.
pub(super) fn announce(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// A switch that was granted, waiting for the client's connection.
#[derive(Debug)]
pub struct Tunnel {
    upstream: Switched,
    idle: Duration,
    record: Option<Box<Record>>,
}

impl Tunnel {
    /// The upstream's side, out of its 101.
    pub(super) fn take(received: &mut Received, idle: Duration) -> Option<Self> {
        Some(Self {
            upstream: received.body_mut().take_switched()?,
            idle,
            record: None,
        })
    }

    /// The request stays open as long as the tunnel.
    pub(super) fn recorded(mut self, record: Box<Record>) -> Self {
        self.record = Some(record);
        self
    }

    /// Relays between `client` and the upstream until a side ends. Dropping it ends both.
    ///
    /// # Errors
    /// The network's, and [`io::ErrorKind::TimedOut`] when nothing moved for too long.
    pub async fn relay<C>(self, mut client: C) -> io::Result<()>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut client_reads, mut client_writes) = tokio::io::split(&mut client);
        let (mut upstream_reads, mut upstream_writes) = tokio::io::split(self.upstream);
        let mut record = self.record;
        let touched = Cell::new(Instant::now());
        let up = pump(&mut client_reads, &mut upstream_writes, |_| {
            touched.set(Instant::now())
        });
        let down = pump(&mut upstream_reads, &mut client_writes, |count| {
            touched.set(Instant::now());
            if let Some(record) = &mut record {
                record.sent(count);
            }
        });
        let ended = tokio::select! {
            both = async { tokio::try_join!(up, down) } => both.map(|_| ()),
            () = silence(&touched, self.idle) => Err(io::ErrorKind::TimedOut.into()),
        };
        if let (Ok(()), Some(record)) = (&ended, &mut record) {
            record.complete();
        }
        ended
    }
}

/// One direction: its end is passed on as an end.
async fn pump<R, W>(from: &mut R, to: &mut W, mut moved: impl FnMut(usize)) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..count).unwrap_or_default())
            .await?;
        to.flush().await?;
        moved(count);
    }
}

/// Ends when nothing has been touched for `limit`.
async fn silence(touched: &Cell<Instant>, limit: Duration) {
    loop {
        let end = touched.get() + limit;
        sleep_until(end).await;
        if touched.get() + limit <= end {
            return;
        }
    }
}
