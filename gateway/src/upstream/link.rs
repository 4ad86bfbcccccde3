//! A place on a connection for one exchange: a whole HTTP/1.1 connection, or one stream of an HTTP/2 connection.
//!
//! Guarantees: a request that was not sent comes back whole. Must not: keep a connection.

use std::io;
use std::rc::Rc;

use http::{Request, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::body::ResponseBody;
use super::endpoint::Endpoint;
use super::hints::Listener;
use super::line::{Line, LineError};
use super::multiplexed::{self, Stream};
use super::upload::RequestBody;

/// Where one request goes, and its answer comes from.
pub(super) enum Link {
    /// A connection that takes one request at a time.
    Http1(Box<Line>),
    /// A stream beside others.
    Http2(Stream),
}

/// How an exchange broke.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// On an HTTP/1.1 connection.
    #[error(transparent)]
    Line(#[from] LineError),
    /// On a stream of HTTP/2.
    #[error(transparent)]
    Stream(#[from] hyper::Error),
}

/// Why there was no answer on a link.
pub(super) enum Failed {
    /// The connection was dead before a byte was written: the request is whole.
    Unsent(Box<Request<RequestBody>>),
    /// The other side says that it did not look at the request, which is here again if it has no body.
    Refused(Option<Box<Request<RequestBody>>>),
    /// Something else, and the request may have been seen.
    Broken(Broken),
    /// Nothing came in time.
    Late,
}

impl Failed {
    pub(super) fn line(error: LineError) -> Self {
        Self::Broken(Broken::Line(error))
    }

    /// Whether the connection ended before there was a byte of an answer.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Broken(Broken::Line(LineError::Ended)) => true,
            Self::Broken(Broken::Line(LineError::Io(error))) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            ),
            _ => false,
        }
    }
}

impl Link {
    /// Whether it has been idle for so long that it may have ended unseen. An HTTP/2 connection says which streams it has not looked at.
    pub(super) const fn has_rested(&self) -> bool {
        match self {
            Self::Http1(line) => line.has_rested,
            Self::Http2(_) => false,
        }
    }

    /// Sends `request` and waits for the response head, at most until `until`.
    pub(super) async fn exchange(
        self,
        endpoint: &Rc<Endpoint>,
        request: Box<Request<RequestBody>>,
        until: Instant,
        listener: Option<&Listener>,
    ) -> Result<Response<ResponseBody>, Failed> {
        match self {
            Self::Http1(mut line) => {
                let response = line.exchange(request, until, listener).await?;
                let body = match response.status() {
                    StatusCode::SWITCHING_PROTOCOLS => ResponseBody::switched(line, endpoint),
                    _ => ResponseBody::line(line, endpoint),
                };
                Ok(response.map(|()| body))
            }
            // In a box, so that the state of HTTP/1.1's exchange does not grow by it.
            Self::Http2(stream) => {
                let exchange = Box::pin(multiplexed::exchange(stream, endpoint, request));
                let answered = timeout_at(until, exchange).await;
                let (response, stream) = answered.unwrap_or(Err(Failed::Late))?;
                Ok(response.map(|incoming| ResponseBody::stream(incoming, stream, endpoint)))
            }
        }
    }
}
