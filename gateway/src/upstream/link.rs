//! A place on a connection for one exchange: a whole HTTP/1.1 connection, or one stream of an HTTP/2 connection.
//!
//! Guarantees: a request that was not sent comes back whole. Must not: box or copy anything on the way of HTTP/1.1.

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::multiplexed::{self, Stream};
use super::upload::RequestBody;

/// Where one request goes, and its answer comes from.
pub(super) enum Link {
    /// A connection that takes one request at a time.
    Http1(Line),
    /// A stream beside others.
    Http2(Stream),
}

/// A connection that takes one request at a time.
pub(super) struct Line {
    sender: SendRequest<RequestBody>,
    pub(super) born: Instant,
    pub(super) served: u32,
}

/// Why there was no answer on a link.
pub(super) enum Failed {
    /// The connection was dead before a byte was written: the request is whole.
    Unsent(Box<Request<RequestBody>>),
    /// The other side says that it did not look at the request, which is here again if it has no body.
    Refused(Option<Box<Request<RequestBody>>>),
    /// Something else, and the request may have been seen.
    Broken(hyper::Error),
}

impl Line {
    pub(super) const fn new(sender: SendRequest<RequestBody>, born: Instant) -> Self {
        Self {
            sender,
            born,
            served: 0,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    async fn exchange(
        mut self,
        request: Box<Request<RequestBody>>,
    ) -> Result<(Response<Incoming>, Link), Failed> {
        if self.sender.ready().await.is_err() {
            return Err(Failed::Unsent(request));
        }
        match self.sender.try_send_request(*request).await {
            Ok(response) => {
                self.served = self.served.saturating_add(1);
                Ok((response, Link::Http1(self)))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Failed::Unsent(Box::new(request)),
                None => Failed::Broken(error.into_error()),
            }),
        }
    }
}

impl Link {
    /// Sends `request` and waits for the response head.
    pub(super) async fn exchange(
        self,
        endpoint: &Endpoint,
        request: Box<Request<RequestBody>>,
    ) -> Result<(Response<Incoming>, Self), Failed> {
        match self {
            Self::Http1(line) => line.exchange(request).await,
            // In a box, so that the state of HTTP/1.1's exchange does not grow by it.
            Self::Http2(stream) => Box::pin(multiplexed::exchange(stream, endpoint, request)).await,
        }
    }
}
