//! A client's first bytes on a connection in clear: HTTP/2 by prior knowledge begins with its preface (RFC 9113, section 3.3),
//! anything else is HTTP/1.1's to judge.
//!
//! Guarantees: what was read is handed on; a silent client is waited for as long as for any head. Must not: read more than is there.

use std::time::Duration;

use tokio::io::AsyncRead;

use super::drain::Signal;
use super::http2::PREFACE;
use super::quiet;

/// What a client speaks, and what it has said so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Http1(Vec<u8>),
    Http2(Vec<u8>),
    /// It left, or said nothing in time.
    Nothing,
}

/// Reads until it is known what the client speaks; at most for `limit`, and not for long once the process stops.
pub(super) async fn read<T: AsyncRead + Unpin>(
    stream: &mut T,
    limit: Duration,
    drain: &mut Signal,
) -> Opening {
    let mut first = Vec::new();
    let is_known = tokio::select! {
        biased;
        is_known = known(stream, &mut first) => is_known,
        () = quiet::patience(limit, drain) => !first.is_empty(),
    };
    match is_known {
        false => Opening::Nothing,
        true if first.starts_with(PREFACE) => Opening::Http2(first),
        true => Opening::Http1(first),
    }
}

/// Whether the client said enough, or at least something before it left.
async fn known<T: AsyncRead + Unpin>(stream: &mut T, first: &mut Vec<u8>) -> bool {
    loop {
        match quiet::read(stream, first).await {
            Ok(1..) if is_undecided(first) => {}
            Ok(1..) => return true,
            Ok(0) => return !first.is_empty(),
            Err(_) => return false,
        }
    }
}

fn is_undecided(first: &[u8]) -> bool {
    first.len() < PREFACE.len() && PREFACE.starts_with(first)
}

#[cfg(test)]
mod tests {
    use super::super::drain::Drain;
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    async fn opening(pieces: &[&[u8]]) -> Opening {
        let (mut client, mut server) = tokio::io::duplex(8);
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let writing = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(&piece).await.unwrap();
            }
            client
        });
        let mut signal = Drain::new().signal();
        let opening = read(&mut server, Duration::from_secs(10), &mut signal).await;
        writing.abort();
        opening
    }

    #[tokio::test(start_paused = true)]
    async fn the_preface_is_recognised_in_pieces_and_nothing_else_is() {
        assert_eq!(
            opening(&[&PREFACE[..3], &PREFACE[3..]]).await,
            Opening::Http2(PREFACE.to_vec())
        );
        assert_eq!(
            opening(&[b"P", b"OST"]).await,
            Opening::Http1(b"POST".to_vec())
        );
        assert_eq!(opening(&[b"PRI"]).await, Opening::Http1(b"PRI".to_vec()));
        assert_eq!(opening(&[]).await, Opening::Nothing);
    }
}
