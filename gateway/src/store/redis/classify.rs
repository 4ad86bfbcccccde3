//! What an error of the client library or the server means to us.
//!
//! Guarantees: every error becomes exactly one [`StoreError`]. Must not: decide what to do about it, except whether the very same
//! call may be sent again.

use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

/// What `error` means.
pub(super) fn classify(error: &RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Server(kind) => server(kind),
        ErrorKind::AuthenticationFailed => authentication(error),
        ErrorKind::Extension => by_code(error.code().unwrap_or_default()),
        ErrorKind::Io if error.is_timeout() => StoreError::Timeout,
        ErrorKind::Io if error.is_connection_refusal() => StoreError::Unreachable,
        ErrorKind::Io => StoreError::Disconnected,
        ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel
        | ErrorKind::InvalidClientConfig
        | ErrorKind::Client
        | ErrorKind::EmptySentinelList => StoreError::Unreachable,
        _ => StoreError::Unexpected,
    }
}

/// Whether the server said that it did not carry the call out and that asking again soon may help.
pub(super) const fn not_carried_out(error: StoreError) -> bool {
    matches!(
        error,
        StoreError::Loading | StoreError::ReadOnly | StoreError::ClusterDown
    )
}

/// Whether the connection is of no more use.
pub(super) const fn breaks_connection(error: StoreError) -> bool {
    matches!(
        error,
        StoreError::Disconnected
            | StoreError::Unreachable
            | StoreError::ReadOnly
            | StoreError::NoPassword
            | StoreError::WrongPassword
    )
}

const fn server(kind: ServerErrorKind) -> StoreError {
    match kind {
        ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown => StoreError::Loading,
        ServerErrorKind::ReadOnly => StoreError::ReadOnly,
        ServerErrorKind::ClusterDown | ServerErrorKind::TryAgain => StoreError::ClusterDown,
        ServerErrorKind::Moved | ServerErrorKind::Ask => StoreError::Moved,
        ServerErrorKind::NoPerm => StoreError::NoPermission,
        _ => StoreError::Unexpected,
    }
}

/// The library tells a wrong password from other refusals only in the text it quotes from the server.
fn authentication(error: &RedisError) -> StoreError {
    let text = error.to_string();
    if text.contains("NOAUTH") {
        StoreError::NoPassword
    } else if text.contains("LOADING") {
        StoreError::Loading
    } else {
        StoreError::WrongPassword
    }
}

fn by_code(code: &str) -> StoreError {
    match code {
        "NOAUTH" => StoreError::NoPassword,
        "WRONGPASS" => StoreError::WrongPassword,
        "OOM" | "MISCONF" | "NOREPLICAS" | "BUSY" => StoreError::Refusing,
        _ => StoreError::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deadpool_redis::redis::{Value, parse_redis_value};

    #[test]
    fn what_servers_say() {
        for (said, meant) in [
            ("LOADING Redis is loading", StoreError::Loading),
            ("MASTERDOWN Link with MASTER is down", StoreError::Loading),
            ("READONLY You can't write", StoreError::ReadOnly),
            ("CLUSTERDOWN Hash slot not served", StoreError::ClusterDown),
            ("TRYAGAIN Multiple keys", StoreError::ClusterDown),
            ("MOVED 3999 127.0.0.1:6381", StoreError::Moved),
            ("NOAUTH Authentication required.", StoreError::NoPassword),
            ("WRONGPASS invalid pair", StoreError::WrongPassword),
            ("NOPERM no permissions", StoreError::NoPermission),
            ("OOM command not allowed", StoreError::Refusing),
            ("WRONGTYPE not a string", StoreError::Unexpected),
        ] {
            let value = parse_redis_value(format!("-{said}\r\n").as_bytes()).expect("a reply");
            let Value::ServerError(error) = value else {
                panic!("{said} is an error");
            };
            assert_eq!(classify(&RedisError::from(error)), meant, "{said}");
        }
    }
}
