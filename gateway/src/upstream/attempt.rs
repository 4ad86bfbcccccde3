//! One attempt: a connection, the request on it, the response head. Must not: decide whether there is another attempt.

use std::io;
use std::rc::Rc;

use http::{Request, Response};

use super::body::ResponseBody;
use super::connect::connect;
use super::endpoint::Endpoint;
use super::pool::Sender;
use super::upload::{RequestBody, UploadFault, UploadState};

/// A response head with its streaming body.
pub type Received = Response<ResponseBody>;

/// Idle connections that turn out dead before a request was written to them are skipped, at most so many in a row.
const STALE_CONNECTIONS: usize = 8;

/// Why an attempt has no response.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// No connection: refused, unreachable, or its name did not resolve. Nothing was sent.
    #[error("connecting: {0}")]
    Connect(io::Error),
    /// No connection in time. Nothing was sent.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// No response head in time.
    #[error("no response in time")]
    Timeout,
    /// The connection ended, or what came back is not HTTP.
    #[error("the exchange broke: {0}")]
    Broken(hyper::Error),
    /// The client did not send its body as it should: not the upstream's fault.
    #[error(transparent)]
    Client(UploadFault),
}

impl AttemptError {
    /// The metric label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect_error",
            Self::ConnectTimeout => "connect_timeout",
            Self::Timeout => "timeout",
            Self::Broken(_) => "broken",
            Self::Client(_) => "client_gone",
        }
    }

    /// Whether the endpoint cannot have seen any of the request.
    #[must_use]
    pub const fn nothing_sent(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::ConnectTimeout)
    }

    /// Whether the upstream is to blame.
    #[must_use]
    pub const fn is_upstream_fault(&self) -> bool {
        !matches!(self, Self::Client(_))
    }
}

/// Sends `request` on an idle connection or a new one.
pub(super) async fn send(
    endpoint: &Rc<Endpoint>,
    mut request: Request<RequestBody>,
) -> Result<Received, AttemptError> {
    let upload = request.body().upload();
    for _ in 0..STALE_CONNECTIONS {
        let Some(sender) = endpoint.pool().take() else {
            break;
        };
        match exchange(sender, request).await {
            Ok((response, sender)) => return Ok(body(endpoint, response, sender, upload)),
            Err(Exchange::Unsent(unsent)) => request = *unsent,
            Err(Exchange::Broken(error)) => return Err(blame(error, &upload)),
        }
    }
    let sender = connect(endpoint).await?;
    match exchange(sender, request).await {
        Ok((response, sender)) => Ok(body(endpoint, response, sender, upload)),
        Err(Exchange::Unsent(_)) => {
            Err(AttemptError::Connect(io::ErrorKind::ConnectionReset.into()))
        }
        Err(Exchange::Broken(error)) => Err(blame(error, &upload)),
    }
}

enum Exchange {
    /// The connection was dead before a byte was written: the request is whole.
    Unsent(Box<Request<RequestBody>>),
    Broken(hyper::Error),
}

async fn exchange(
    mut sender: Sender,
    request: Request<RequestBody>,
) -> Result<(Response<hyper::body::Incoming>, Sender), Exchange> {
    if sender.ready().await.is_err() {
        return Err(Exchange::Unsent(Box::new(request)));
    }
    match sender.try_send_request(request).await {
        Ok(response) => Ok((response, sender)),
        Err(mut error) => Err(match error.take_message() {
            Some(request) => Exchange::Unsent(Box::new(request)),
            None => Exchange::Broken(error.into_error()),
        }),
    }
}

fn body(
    endpoint: &Rc<Endpoint>,
    response: Response<hyper::body::Incoming>,
    sender: Sender,
    upload: Option<Rc<UploadState>>,
) -> Received {
    response.map(|incoming| ResponseBody::new(incoming, endpoint, sender, upload))
}

fn blame(error: hyper::Error, upload: &Option<Rc<UploadState>>) -> AttemptError {
    match upload.as_ref().and_then(|upload| upload.fault()) {
        Some(fault) => AttemptError::Client(fault),
        None => AttemptError::Broken(error),
    }
}
