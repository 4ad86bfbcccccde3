//! HTTP/2 written by hand: frames go out as the test says, right or wrong, and come back as what they are.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::PATIENCE;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// Whether HEADERS open with `status`: the statuses of HPACK's table, or a literal one.
    pub(crate) fn has_status(&self, status: u16) -> bool {
        let indexed = match status {
            200 => Some(0x88),
            204 => Some(0x89),
            400 => Some(0x8c),
            404 => Some(0x8d),
            _ => None,
        };
        self.kind == HEADERS && indexed.is_some_and(|byte| self.payload.first() == Some(&byte))
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header list as literals without indexing (RFC 7541, section 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length) if length < 127 => block.push(length),
                _ => {
                    block.push(127);
                    let mut rest = text.len() - 127;
                    while rest >= 128 {
                        block.push(u8::try_from(rest % 128).unwrap() | 128);
                        rest /= 128;
                    }
                    block.push(u8::try_from(rest).unwrap());
                }
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The head of `GET path`, and more.
pub(crate) fn get<'a>(path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<u8> {
    let mut fields = vec![
        (":method", "GET"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "api.example"),
    ];
    fields.extend(more);
    block(&fields)
}

/// A connection.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    /// After the preface, with default settings.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut wire = Self::connect(address).await;
        wire.write(PREFACE).await;
        wire.send(SETTINGS, 0, 0, b"").await;
        wire
    }

    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Writes; whoever has hung up does not hear it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&frame(kind, flags, stream, payload)).await
    }

    /// A request without a body.
    pub(crate) async fn ask(&mut self, stream: u32, head: &[u8]) -> bool {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, head)
            .await
    }

    /// The next frame; none when the gateway closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        let read = timeout(PATIENCE, self.0.read_exact(&mut head)).await;
        read.expect("a frame, or the end").ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes(head[5..9].try_into().unwrap()),
            payload,
        })
    }

    /// The next frame that `wanted` wants. Settings and shutdown pings are acknowledged on the way.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == SETTINGS && frame.flags & ACK == 0 {
                self.send(SETTINGS, ACK, 0, b"").await;
            }
            if frame.kind == PING && frame.flags & ACK == 0 {
                self.send(PING, ACK, 0, &frame.payload).await;
            }
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// The first frame that answers on `stream`: HEADERS, RST_STREAM, or a GOAWAY.
    pub(crate) async fn verdict(&mut self, stream: u32) -> Frame {
        let verdict = self.until(|frame| {
            frame.kind == GOAWAY
                || (frame.stream == stream && matches!(frame.kind, HEADERS | RST_STREAM))
        });
        verdict.await.expect("an answer")
    }

    /// Waits for the end of the connection; the GOAWAY before it, if any.
    pub(crate) async fn end(&mut self) -> Option<Frame> {
        let mut farewell = None;
        while let Some(frame) = self.until(|_| true).await {
            if frame.kind == GOAWAY {
                farewell = Some(frame);
            }
        }
        farewell
    }

    /// Whether nothing ends the connection for a while.
    pub(crate) async fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(50), self.0.peek(&mut byte)).await;
        !matches!(read, Ok(Ok(0) | Err(_)))
    }
}
