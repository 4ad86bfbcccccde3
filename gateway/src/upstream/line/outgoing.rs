//! A request on its way out: head and body, as they are written (RFC 9112, sections 3, 6 and 7.1).
//!
//! Guarantees: a head and a small body are one write; a large piece of a body is written as it lies; no more of a body is taken than is
//! written. Must not: change what a message means.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, COOKIE, FORWARDED, HOST, MAX_FORWARDS, PROXY_AUTHORIZATION, SET_COOKIE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, Request};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite as _;

use super::LineError;
use super::head::number;
use crate::upstream::socket::Socket;
use crate::upstream::upload::RequestBody;

/// A piece up to this size is copied behind what is before it, which is cheaper than another write.
const SMALL: usize = 16 * 1024;
/// With so much in hand, it is written before more is taken.
const ENOUGH: usize = 16 * 1024;
/// Bytes of a field, with its colon and its line's end: a guess.
const FIELD: usize = 48;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// What is to be written first, from `written` on.
    ahead: Vec<u8>,
    written: usize,
    /// What is to be written after it.
    piece: Bytes,
    /// A chunk's data ends with `piece`.
    ends_chunk: bool,
    /// The socket may have kept something of what it was given.
    is_kept: bool,
    body: Option<Sending>,
}

#[derive(Debug)]
struct Sending {
    body: RequestBody,
    coding: Coding,
}

/// How the other side will know where a body ends.
#[derive(Debug)]
enum Coding {
    /// After so many bytes more.
    Length(u64),
    /// With the last chunk, after which these fields may follow.
    Chunked(Vec<HeaderName>),
}

impl Outgoing {
    /// Takes a request. What remains of it are its method and a map of headers, empty and with room.
    pub(super) fn begin(&mut self, request: Request<RequestBody>) -> (Method, HeaderMap) {
        let (head, body) = request.into_parts();
        let (method, mut headers) = (head.method, head.headers);
        self.ahead.clear();
        self.written = 0;
        self.ahead.reserve(128 + headers.len() * FIELD);
        let target = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        for part in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
            self.ahead.extend_from_slice(part.as_bytes());
        }
        let is_empty = body.is_end_stream();
        for (name, value) in &headers {
            if !(is_empty && name == TRANSFER_ENCODING) {
                self.field(name, value.as_bytes());
            }
        }
        self.body = (!is_empty).then(|| Sending {
            coding: self.coding(&headers, &body),
            body,
        });
        self.ahead.extend_from_slice(b"\r\n");
        headers.clear();
        (method, headers)
    }

    /// How a body is sent: as its headers say, and where they say nothing, as itself says.
    fn coding(&mut self, headers: &HeaderMap, body: &RequestBody) -> Coding {
        if headers.contains_key(TRANSFER_ENCODING) {
            return Coding::Chunked(announced(headers));
        }
        let declared = headers.get(CONTENT_LENGTH);
        if let Some(length) = declared.and_then(|length| number(length.as_bytes())) {
            return Coding::Length(length);
        }
        match body.size_hint().exact() {
            Some(length) => {
                let digits = length.to_string();
                self.field(&CONTENT_LENGTH, digits.as_bytes());
                Coding::Length(length)
            }
            None => {
                self.field(&TRANSFER_ENCODING, b"chunked");
                Coding::Chunked(announced(headers))
            }
        }
    }

    #[inline]
    fn field(&mut self, name: &HeaderName, value: &[u8]) {
        for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            self.ahead.extend_from_slice(part);
        }
    }

    /// Whether all of the request has been written.
    pub(super) fn is_sent(&self) -> bool {
        self.body.is_none() && self.ahead.is_empty() && self.piece.is_empty() && !self.is_kept
    }

    /// Lets go of the memory that waits for the next request.
    pub(super) fn shrink(&mut self) {
        if self.is_sent() {
            *self = Self::default();
        }
    }

    /// Writes until all of the request is written.
    pub(super) fn poll_send(
        &mut self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), LineError>> {
        loop {
            let is_waiting = self.take(cx)?;
            ready!(self.poll_flush(socket, cx))?;
            if self.ahead.is_empty() {
                match &self.body {
                    None => return Poll::Ready(Ok(())),
                    Some(_) if is_waiting => return Poll::Pending,
                    Some(_) => {}
                }
            }
        }
    }

    /// Takes of the body what there is room for. Whether there is none for now.
    fn take(&mut self, cx: &mut Context<'_>) -> Result<bool, LineError> {
        while self.ahead.len() < ENOUGH && self.piece.is_empty() {
            let Some(Sending { body, .. }) = &mut self.body else {
                return Ok(false);
            };
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Some(frame)) => self.put(frame.map_err(LineError::Upload)?)?,
                Poll::Ready(None) => self.end(None)?,
            }
        }
        Ok(false)
    }

    fn put(&mut self, frame: Frame<Bytes>) -> Result<(), LineError> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(other) => return self.end(other.trailers_ref()),
        };
        let Some(Sending { body, coding }) = &mut self.body else {
            return Ok(());
        };
        let is_last = body.is_end_stream();
        match coding {
            Coding::Length(left) => {
                let length = data.len() as u64;
                *left = left.checked_sub(length).ok_or(LineError::Length)?;
            }
            Coding::Chunked(_) if data.is_empty() => {}
            Coding::Chunked(_) => {
                write!(self.ahead, "{:x}\r\n", data.len())?;
                self.ends_chunk = true;
            }
        }
        if data.len() <= SMALL {
            self.ahead.extend_from_slice(&data);
            self.end_chunk();
        } else {
            self.piece = data;
        }
        if is_last && self.piece.is_empty() {
            self.end(None)?;
        }
        Ok(())
    }

    fn end_chunk(&mut self) {
        if std::mem::take(&mut self.ends_chunk) {
            self.ahead.extend_from_slice(b"\r\n");
        }
    }

    /// The body has come to its end.
    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), LineError> {
        match self.body.take().map(|sending| sending.coding) {
            None | Some(Coding::Length(0)) => Ok(()),
            Some(Coding::Length(_)) => Err(LineError::Length),
            Some(Coding::Chunked(allowed)) => {
                self.ahead.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    if allowed.contains(name) {
                        self.field(name, value.as_bytes());
                    }
                }
                self.ahead.extend_from_slice(b"\r\n");
                Ok(())
            }
        }
    }

    /// Writes what there is. At the end of a large piece a line's end may be left, to be written with what comes next.
    #[inline]
    fn poll_flush(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_kept = true;
        while let Some(rest) = self
            .ahead
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            self.written += ready!(poll_write(socket, rest, cx))?;
        }
        self.ahead.clear();
        self.written = 0;
        while !self.piece.is_empty() {
            let count = ready!(poll_write(socket, &self.piece, cx))?;
            self.piece.advance(count);
        }
        self.end_chunk();
        ready!(Pin::new(socket).poll_flush(cx))?;
        self.is_kept = false;
        Poll::Ready(Ok(()))
    }
}

#[inline]
fn poll_write(socket: &mut Socket, bytes: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    match ready!(Pin::new(socket).poll_write(cx, bytes)) {
        Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        written => Poll::Ready(written),
    }
}

/// The fields that a request says may come after its body (RFC 9110, section 6.6.2), and may.
fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(TRAILER)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(may_follow)
        .collect()
}

/// Whether a field may come after a body: not what frames, routes or authenticates a message or says how it is to be read (RFC 9110, section
/// 6.5.1), nor what hops say of a client, which was checked in the head.
fn may_follow(name: &HeaderName) -> bool {
    let is_early = matches!(
        *name,
        AUTHORIZATION
            | CACHE_CONTROL
            | CONNECTION
            | CONTENT_ENCODING
            | CONTENT_LENGTH
            | CONTENT_RANGE
            | CONTENT_TYPE
            | COOKIE
            | FORWARDED
            | HOST
            | MAX_FORWARDS
            | PROXY_AUTHORIZATION
            | SET_COOKIE
            | TE
            | TRAILER
            | TRANSFER_ENCODING
            | UPGRADE
    );
    let name = name.as_str();
    !is_early && name != "x-real-ip" && !name.starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_belongs_before_a_body_does_not_follow_it_though_announced() {
        let mut headers = HeaderMap::new();
        let said = "x-sum, Content-Length,host, Authorization, X-Forwarded-For, transfer-encoding, no token";
        headers.append(TRAILER, HeaderValue::from_static(said));
        headers.append(TRAILER, HeaderValue::from_static("grpc-status"));
        assert_eq!(announced(&headers), ["x-sum", "grpc-status"]);
    }
}
