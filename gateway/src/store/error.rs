//! Why a store gave no decision.
//!
//! Guarantees: each reason has one metric label, and says of itself whether it counts towards the store being lost. Must not:
//! carry text from a server or a user: errors are compared, copied and counted; the text is logged where it arrives.

/// A store gave no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreError {
    /// The store has failed so often that it is not asked until it is found again.
    #[error("the store is down")]
    Down,
    /// So many calls wait already that another would only wait longer.
    #[error("too many store calls are waiting")]
    Overloaded,
    /// The embedded store holds as many unfinished buckets as it may, and will not forget one to make room.
    #[error("the embedded store is full")]
    Full,
    /// No answer before the deadline.
    #[error("the store did not answer in time")]
    Timeout,
    /// No connection could be made.
    #[error("the store cannot be reached")]
    Unreachable,
    /// The connection broke under the call; whether it was carried out is unknown.
    #[error("the connection to the store broke")]
    Disconnected,
    /// The server is reading its data from disk, or its replica has lost its master.
    #[error("the store is still loading")]
    Loading,
    /// The server is a replica now: the master is elsewhere.
    #[error("the store is a read-only replica")]
    ReadOnly,
    /// The cluster does not serve this key at present.
    #[error("the cluster does not serve this key at present")]
    ClusterDown,
    /// The server belongs to a cluster but the address does not say so.
    #[error("the server is part of a cluster: use redis+cluster://")]
    Moved,
    /// The server wants a password and the address has none.
    #[error("the store asks for a password")]
    NoPassword,
    /// The server refuses the user name or password.
    #[error("the store refuses the user name or password")]
    WrongPassword,
    /// The user may not run one of our commands, or not on our keys.
    #[error("the store's user lacks a permission")]
    NoPermission,
    /// The server refuses writes: out of memory, no replicas, a failed snapshot.
    #[error("the store refuses to write")]
    Refusing,
    /// The server said something we did not expect.
    #[error("the store gave an unexpected answer")]
    Unexpected,
}

impl StoreError {
    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Overloaded => "overloaded",
            Self::Full => "full",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Disconnected => "disconnected",
            Self::Loading => "loading",
            Self::ReadOnly => "read_only",
            Self::ClusterDown => "cluster_down",
            Self::Moved => "moved",
            Self::NoPassword => "no_password",
            Self::WrongPassword => "wrong_password",
            Self::NoPermission => "no_permission",
            Self::Refusing => "refusing",
            Self::Unexpected => "unexpected",
        }
    }

    /// Whether this says something about the store rather than about one call or one key. Some of these are also cured within a
    /// call's deadline, by asking again; only what was not cured is ever returned.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        !matches!(
            self,
            Self::Down | Self::Overloaded | Self::Full | Self::Unexpected
        )
    }

    /// Whether only a person can cure it.
    #[must_use]
    pub const fn is_misconfiguration(self) -> bool {
        matches!(
            self,
            Self::Moved | Self::NoPassword | Self::WrongPassword | Self::NoPermission
        )
    }
}
