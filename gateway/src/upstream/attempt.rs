//! One attempt: a connection, the request on it, the response head. Must not: decide whether there is another attempt.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::body::ResponseBody;
use super::connect::connect;
use super::endpoint::Endpoint;
use super::hints::Listener;
use super::link::{Broken, Failed};
use super::multiplexed::copy;
use super::upload::{RequestBody, UploadFault, UploadState};

/// A response head with its streaming body.
pub type Received = Response<ResponseBody>;

/// How long an attempt may take to its response head.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest.
    pub limit: Duration,
    /// Whether running out of it says something of the upstream: not, if somebody else's deadline cut it short. Then it is
    /// [`AttemptError::Deadline`].
    pub is_telling: bool,
}

/// As good as for ever, where the clock cannot count as far as a limit goes.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

impl Patience {
    /// When it is over that began at `began`.
    pub(super) fn over(&self, began: Instant) -> Instant {
        began
            .checked_add(self.limit)
            .unwrap_or_else(|| began + FOR_EVER)
    }
}

/// Why an attempt came to nothing.
pub(super) enum Missed {
    Failed(AttemptError),
    /// Its time ran out.
    Late,
}

impl From<AttemptError> for Missed {
    fn from(error: AttemptError) -> Self {
        Self::Failed(error)
    }
}

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
    /// No TLS on the connection. Nothing was sent.
    #[error("agreeing on TLS: {0}")]
    Tls(io::Error),
    /// The endpoint's certificate is not believed. Nothing was sent.
    #[error("the endpoint's certificate: {0}")]
    Certificate(io::Error),
    /// The endpoint says that it has not looked at the request (RFC 9113, section 8.7).
    #[error("the endpoint refused the stream")]
    Refused,
    /// No response head in time.
    #[error("no response in time")]
    Timeout,
    /// No response head in the time the client itself gave: not the upstream's fault.
    #[error("no response in the time the client gave")]
    Deadline,
    /// The connection ended, or what came back is not HTTP.
    #[error("the exchange broke: {0}")]
    Broken(Broken),
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
            Self::Tls(_) | Self::Certificate(_) => "tls_error",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Deadline => "deadline",
            Self::Broken(_) => "broken",
            Self::Client(_) => "client_gone",
        }
    }

    /// Whether the endpoint cannot have acted on any of the request.
    #[must_use]
    pub const fn nothing_sent(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::ConnectTimeout
            | Self::Tls(_)
            | Self::Certificate(_)
            | Self::Refused => true,
            Self::Timeout | Self::Deadline | Self::Broken(_) | Self::Client(_) => false,
        }
    }

    /// The same error for another request that waited for the same connection.
    pub(super) fn echo(&self) -> Self {
        let copy = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        match self {
            Self::Connect(error) => Self::Connect(copy(error)),
            Self::Tls(error) => Self::Tls(copy(error)),
            Self::Certificate(error) => Self::Certificate(copy(error)),
            Self::ConnectTimeout => Self::ConnectTimeout,
            Self::Refused | Self::Timeout | Self::Deadline | Self::Broken(_) | Self::Client(_) => {
                Self::Connect(io::ErrorKind::ConnectionAborted.into())
            }
        }
    }

    /// Whether the upstream is to blame.
    #[must_use]
    pub const fn is_upstream_fault(&self) -> bool {
        !matches!(self, Self::Client(_) | Self::Deadline)
    }
}

/// Sends `request` on a connection that is there or a new one. A request that was not sent, or that the endpoint says it has not
/// looked at, is sent again here and does not count as another attempt; the latter once, and so one that went on a connection which had
/// been idle for a while and ended without a byte of an answer, if it may be repeated.
pub(super) async fn send(
    endpoint: &Rc<Endpoint>,
    mut request: Box<Request<RequestBody>>,
    until: Instant,
    listener: Option<&Listener>,
) -> Result<Received, Missed> {
    let upload = request.body().upload();
    let offer = endpoint.offer(&request);
    let mut was_refused = false;
    let mut pools = STALE_CONNECTIONS;
    for turn in 0..=STALE_CONNECTIONS {
        let pooled = endpoint.pooled(offer).filter(|_| turn < pools);
        let is_new = pooled.is_none();
        let link = match pooled {
            Some(link) => link,
            // In a box: most requests need no new connection, and its state is large.
            None => match timeout_at(until, Box::pin(connect(endpoint, offer))).await {
                Ok(connected) => connected?,
                Err(_) => return Err(Missed::Late),
            },
        };
        let spare = (!is_new && link.has_rested())
            .then(|| spare(&request))
            .flatten();
        match link.exchange(endpoint, request, until, listener).await {
            Ok(response) => return Ok(response),
            Err(Failed::Unsent(unsent)) if !is_new => request = unsent,
            Err(Failed::Refused(Some(again))) if !was_refused => {
                was_refused = true;
                request = again;
            }
            Err(failed) => match spare.filter(|_| failed.is_end()) {
                // Once: on a new connection it is the upstream that breaks off.
                Some(again) => (request, pools) = (again, 0),
                None => return Err(blame(failed, upload.as_deref())),
            },
        }
    }
    Err(AttemptError::Refused.into())
}

/// The same request once more, for a connection that may have ended unseen: an upstream's own time-out crosses with the request, which was
/// then written and never read. Only what may be repeated in any case, and whose body is none (RFC 9110, section 9.2.2).
fn spare(request: &Request<RequestBody>) -> Option<Box<Request<RequestBody>>> {
    let may = request.method().is_idempotent() && matches!(request.body(), RequestBody::Empty);
    may.then(|| Box::new(copy(request)))
}

fn blame(failed: Failed, upload: Option<&UploadState>) -> Missed {
    let error = match failed {
        Failed::Late => return Missed::Late,
        Failed::Unsent(_) => AttemptError::Connect(io::ErrorKind::ConnectionReset.into()),
        Failed::Refused(_) => AttemptError::Refused,
        Failed::Broken(error) => match upload.and_then(UploadState::fault) {
            Some(fault) => AttemptError::Client(fault),
            None => AttemptError::Broken(error),
        },
    };
    error.into()
}
