//! A place on a connection for one exchange: a whole HTTP/1.1 connection, or one stream of an HTTP/2 connection.
//!
//! Guarantees: a request that was not sent comes back whole. Must not: keep a connection.

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::endpoint::Endpoint;
use super::hints::Listener;
use super::line::Line;
use super::multiplexed::{self, Stream};
use super::upload::RequestBody;

/// Where one request goes, and its answer comes from.
pub(super) enum Link {
    /// A connection that takes one request at a time.
    Http1(Box<Line>),
    /// A stream beside others.
    Http2(Stream),
}

/// Why there was no answer on a link.
pub(super) enum Failed {
    /// The connection was dead before a byte was written: the request is whole.
    Unsent(Box<Request<RequestBody>>),
    /// The other side says that it did not look at the request, which is here again if it has no body.
    Refused(Option<Box<Request<RequestBody>>>),
    /// Something else, and the request may have been seen.
    Broken(hyper::Error),
    /// Nothing came in time.
    Late,
}

impl Link {
    /// Sends `request` and waits for the response head, at most until `until`.
    pub(super) async fn exchange(
        self,
        endpoint: &Endpoint,
        request: Box<Request<RequestBody>>,
        until: Instant,
        listener: Option<&Listener>,
    ) -> Result<(Response<Incoming>, Self), Failed> {
        match self {
            Self::Http1(mut line) => {
                let response = line.exchange(request, until, listener).await?;
                Ok((response, Self::Http1(line)))
            }
            // In a box, so that the state of HTTP/1.1's exchange does not grow by it.
            Self::Http2(stream) => {
                let exchange = Box::pin(multiplexed::exchange(stream, endpoint, request));
                timeout_at(until, exchange)
                    .await
                    .unwrap_or(Err(Failed::Late))
            }
        }
    }
}
