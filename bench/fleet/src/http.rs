//! As much HTTP as a lean load generator needs: one request at a time on a connection that stays.
//!
//! Guarantees: reads exactly one response with a declared length. Must not: be used against anything but our own gateways.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection to a gateway.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    closing: bool,
}

/// A request of nobody in particular.
pub(crate) const ANYBODY: &[u8] = b"GET /proxy/ok HTTP/1.1\r\nhost: bench\r\n\r\n";

/// A request of client `number`.
pub(crate) fn request_of(number: u32) -> Vec<u8> {
    let [_, b, c, d] = number.to_be_bytes();
    format!("GET /proxy/ok HTTP/1.1\r\nhost: bench\r\nx-forwarded-for: 10.{b}.{c}.{d}\r\n\r\n")
        .into_bytes()
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
            closing: false,
        })
    }

    /// Whether any of an answer has arrived since the last request.
    pub(crate) fn has_answer(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Whether the last answer said that there will be no other.
    pub(crate) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Sends a request and reads the whole response; tells its status.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let (status, length) = read_head(&self.buffer[..head]).ok_or(io::ErrorKind::InvalidData)?;
        self.closing = says_close(&self.buffer[..head]);
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.buffer.drain(..head);
        Ok(status)
    }
}

/// The body of one page, on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut connection = Connection::open(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    connection.ask(request.as_bytes()).await?;
    Ok(String::from_utf8_lossy(&connection.buffer).into_owned())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// The status and the declared length of the body.
fn read_head(head: &[u8]) -> Option<(u16, usize)> {
    let text = std::str::from_utf8(head).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    })?;
    Some((status, length))
}

fn says_close(head: &[u8]) -> bool {
    let text = std::str::from_utf8(head).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .any(|(name, value)| {
            name.eq_ignore_ascii_case("connection") && value.trim().eq_ignore_ascii_case("close")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let head = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 17\r\n\r\n";
        assert_eq!(read_head(head), Some((429, 17)));
        assert_eq!(read_head(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
