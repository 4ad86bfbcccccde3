//! Why a measurement could not be made. Must not: be used for a figure that is merely bad.

use std::io;

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A program is not there, or the system refused something.
    #[error("{what}: {error}")]
    System {
        what: &'static str,
        error: io::Error,
    },
    /// A gateway and this program do not understand each other.
    #[error("talking to a gateway: {0}")]
    Talk(#[from] io::Error),
    /// The Redis server does not answer.
    #[error("talking to Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// Something that should have come about did not.
    #[error("never: {0}")]
    Never(&'static str),
}

impl Failure {
    /// For `map_err`: names what was being done.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}
