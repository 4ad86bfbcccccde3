//! The statuses of gRPC, as <https://grpc.io/docs/guides/status-codes/> lists them. Must not: know HTTP.

use std::fmt;
use std::str::FromStr;

/// How a call of gRPC ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcStatus(u8);

/// Their names; the place of each is its number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl GrpcStatus {
    /// No other fits.
    pub const UNKNOWN: Self = Self(2);
    /// The time the client gave has passed.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// Known, and not allowed.
    pub const PERMISSION_DENIED: Self = Self(7);
    /// A quota is spent.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// Nobody here does that.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// Something between the two ends is broken.
    pub const INTERNAL: Self = Self(13);
    /// Not now; trying again may help.
    pub const UNAVAILABLE: Self = Self(14);
    /// Nobody knows who asks.
    pub const UNAUTHENTICATED: Self = Self(16);

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Every name, in the order of their numbers.
    #[must_use]
    pub const fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// Reads a number as it stands on the wire; one that is none of gRPC's is [`Self::UNKNOWN`].
    #[must_use]
    pub fn from_wire(text: &[u8]) -> Self {
        let number = std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        number
            .filter(|number| usize::from(*number) < NAMES.len())
            .map_or(Self::UNKNOWN, Self)
    }
}

impl fmt::Display for GrpcStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.get(usize::from(self.0)).unwrap_or(&"UNKNOWN"))
    }
}

/// The word is no name of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a status of gRPC")]
pub struct UnknownStatus;

impl FromStr for GrpcStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let place = NAMES.iter().position(|name| *name == text);
        let number = place.and_then(|place| u8::try_from(place).ok());
        number.map(Self).ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        for (status, code, name) in [
            (GrpcStatus::UNKNOWN, 2, "UNKNOWN"),
            (GrpcStatus::DEADLINE_EXCEEDED, 4, "DEADLINE_EXCEEDED"),
            (GrpcStatus::PERMISSION_DENIED, 7, "PERMISSION_DENIED"),
            (GrpcStatus::RESOURCE_EXHAUSTED, 8, "RESOURCE_EXHAUSTED"),
            (GrpcStatus::UNIMPLEMENTED, 12, "UNIMPLEMENTED"),
            (GrpcStatus::INTERNAL, 13, "INTERNAL"),
            (GrpcStatus::UNAVAILABLE, 14, "UNAVAILABLE"),
            (GrpcStatus::UNAUTHENTICATED, 16, "UNAUTHENTICATED"),
        ] {
            assert_eq!(status.code(), code);
            assert_eq!(status.to_string(), name);
            assert_eq!(name.parse(), Ok(status));
            assert_eq!(GrpcStatus::from_wire(code.to_string().as_bytes()), status);
        }
        assert_eq!("unavailable".parse::<GrpcStatus>(), Err(UnknownStatus));
        for odd in ["", "-1", "17", "255", "x"] {
            assert_eq!(GrpcStatus::from_wire(odd.as_bytes()), GrpcStatus::UNKNOWN);
        }
    }
}
