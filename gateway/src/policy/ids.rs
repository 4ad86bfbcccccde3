//! Names and identities, as short cheap-to-copy values that are safe to print.
//!
//! Guarantees: every identity has one canonical text, at most [`MAX_TEXT`] bytes. Must not: decide who a request is from.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The longest text an identity may have; whoever makes a longer one hashes it first.
pub const MAX_TEXT: usize = 128;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// The configured name of an upstream.
    UpstreamName
);
name!(
    /// The configured name of a limit.
    PolicyName
);
name!(
    /// The configured name of a route.
    RouteName
);
name!(
    /// What tells one running gateway process from every other of its fleet.
    ReplicaId
);

/// Whom a limit counts.
#[derive(Clone, Debug)]
pub enum ClientId {
    /// One IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 network: the address with its host bits cleared, and the prefix length.
    V6(Ipv6Addr, u8),
    /// Anything with a text of its own: a key's name, a claim, a constant.
    Text(Arc<str>),
}

impl ClientId {
    /// The identity of an address; IPv6 is grouped by `v6_prefix` bits, because one customer holds a whole network.
    /// An IPv4-mapped IPv6 address is the IPv4 address it stands for.
    #[must_use]
    pub fn from_address(address: IpAddr, v6_prefix: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4),
            IpAddr::V6(v6) => {
                let prefix = v6_prefix.min(128);
                let mask = u128::MAX.checked_shl(u32::from(128 - prefix)).unwrap_or(0);
                Self::V6(Ipv6Addr::from_bits(v6.to_bits() & mask), prefix)
            }
        }
    }
}

impl PartialEq for ClientId {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::V4(a), Self::V4(b)) => a == b,
            (Self::V6(a, x), Self::V6(b, y)) => a == b && x == y,
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for ClientId {}

impl Hash for ClientId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::V4(address) => state.write_u32(address.to_bits()),
            Self::V6(address, prefix) => {
                state.write_u128(address.to_bits());
                state.write_u8(*prefix);
            }
            Self::Text(text) => text.hash(state),
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut Room::default()))
    }
}

/// Room for the text of any network: `ffff:…:ffff/128`.
#[derive(Debug)]
pub struct Room {
    octets: [u8; 43],
    length: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            octets: [0; 43],
            length: 0,
        }
    }
}

impl ClientId {
    /// The canonical text, made in `room` where it is not there already.
    pub fn text<'a>(&'a self, room: &'a mut Room) -> &'a str {
        match self {
            Self::V4(address) => room.dot(*address),
            Self::V6(network, 128) => room.put(format_args!("{network}")),
            Self::V6(network, prefix) => room.put(format_args!("{network}/{prefix}")),
            Self::Text(text) => return text,
        }
        std::str::from_utf8(&room.octets[..room.length]).unwrap_or_default()
    }
}

impl Room {
    /// What `Ipv4Addr` displays as, without the formatting machinery: it is part of every access line and of every key.
    fn dot(&mut self, address: Ipv4Addr) {
        let mut put = |octet: u8| {
            self.octets[self.length] = octet;
            self.length += 1;
        };
        for (place, number) in address.octets().into_iter().enumerate() {
            if place > 0 {
                put(b'.');
            }
            if number >= 100 {
                put(b'0' + number / 100);
            }
            if number >= 10 {
                put(b'0' + number / 10 % 10);
            }
            put(b'0' + number % 10);
        }
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        let written = fmt::write(self, text);
        debug_assert!(written.is_ok(), "a network's text fits");
    }
}

impl fmt::Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.octets.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// One bucket: what a limit keeps for one client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketId {
    /// The limit.
    pub policy: PolicyName,
    /// Whom it counts.
    pub client: ClientId,
}

impl fmt::Display for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.policy, self.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_reads_as_usual() {
        for address in
            [[0, 0, 0, 0], [1, 20, 255, 100], [255; 4], [9, 10, 99, 109]].map(Ipv4Addr::from)
        {
            assert_eq!(ClientId::V4(address).to_string(), address.to_string());
        }
    }

    #[test]
    fn an_ipv6_customer_is_one_client() {
        let one = ClientId::from_address("2001:db8:1:2:aaaa::1".parse().unwrap(), 64);
        let two = ClientId::from_address("2001:db8:1:2:bbbb::9".parse().unwrap(), 64);
        assert_eq!(one, two);
        assert_eq!(one.to_string(), "2001:db8:1:2::/64");
        let zero = ClientId::from_address("2001:db8::1".parse().unwrap(), 0);
        assert_eq!(zero.to_string(), "::/0");
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_client() {
        let mapped = ClientId::from_address("::ffff:192.0.2.7".parse().unwrap(), 64);
        assert_eq!(mapped, ClientId::V4(Ipv4Addr::new(192, 0, 2, 7)));
    }
}
