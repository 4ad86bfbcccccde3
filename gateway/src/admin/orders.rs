//! What operators may ask of a gateway, as messages to whoever can carry them out.
//!
//! Guarantees: a bounded number wait; one that is not carried out in time is answered all the same. Must not: carry out.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Orders that may wait.
const WAITING: usize = 16;
/// The longest an operator waits: far beyond the store's deadline.
const PATIENCE: Duration = Duration::from_secs(5);

/// One wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Look at a client's bucket.
    Inspect {
        /// The limit.
        policy: String,
        /// Whom it counts.
        client: String,
    },
    /// Make a client's bucket full, in the whole fleet.
    Refill {
        /// The limit.
        policy: String,
        /// Whom it counts.
        client: String,
    },
    /// Move a circuit, in the whole fleet.
    Circuit {
        /// Whose.
        upstream: String,
        /// Where to.
        to: CircuitOrder,
        /// Who wants it.
        by: String,
        /// Why.
        reason: String,
    },
    /// Purge kept answers, in the whole fleet.
    Purge(Purge),
    /// Change the log level of some replicas.
    LogLevel {
        /// The filter.
        level: String,
        /// Of which.
        of: Audience,
    },
    /// Have replicas read their configuration again.
    Reload {
        /// Which.
        of: Audience,
    },
    /// Take replicas out of rotation: readiness fails, requests are still served.
    Drain {
        /// Which.
        of: Audience,
    },
    /// Put replicas that were taken out back into it.
    Undrain {
        /// Which.
        of: Audience,
    },
}

/// Whom an order concerns, and who is to answer for it where it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// Which replicas.
    pub replicas: Replicas,
    /// Who gives the order.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

/// Which replicas an order concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// The one that was asked.
    This,
    /// Every one that hears of it.
    All,
    /// Those, by name.
    These(Vec<String>),
}

impl std::fmt::Display for Replicas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::This => f.write_str("this replica"),
            Self::All => f.write_str("all replicas"),
            Self::These(names) => f.write_str(&names.join(", ")),
        }
    }
}

/// What to purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// Everything a route keeps.
    Route(String),
    /// Everything under a tag.
    Tag(String),
    /// All variants of one URL.
    Url(String),
}

/// Where to move a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitOrder {
    /// Held open until a reset.
    Open,
    /// Held closed until a reset.
    Closed,
    /// Closed, and deciding for itself again.
    Reset,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// No such limit, client or upstream.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be done as asked.
    #[error("{0}")]
    Invalid(String),
    /// It could not be done now, or nobody knows whether it was.
    #[error("{0}")]
    Unavailable(String),
}

/// What came of an order.
pub type Outcome = Result<Value, OrderError>;

/// An order and where its answer goes.
pub type Wish = (Order, oneshot::Sender<Outcome>);

/// Where orders are given.
#[derive(Clone, Debug)]
pub struct Orders(mpsc::Sender<Wish>);

/// A way for orders, and its other end.
#[must_use]
pub fn channel() -> (Orders, mpsc::Receiver<Wish>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Orders(sender), receiver)
}

impl Orders {
    /// Gives an order and waits for what comes of it.
    pub(super) async fn give(&self, order: Order) -> Outcome {
        let busy = || OrderError::Unavailable("the gateway is busy or stopping".to_owned());
        let (sender, answer) = oneshot::channel();
        self.0.try_send((order, sender)).map_err(|_| busy())?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(outcome)) => outcome,
            _ => Err(busy()),
        }
    }
}
