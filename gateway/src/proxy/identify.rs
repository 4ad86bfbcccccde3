//! Who is asking: the peer's address, unless the peer is a proxy we trust, then the address it vouches for.
//!
//! The chain in `X-Forwarded-For` is walked from right to left, because each proxy appends what it saw: the first address that
//! is not a trusted proxy's is the last one nobody trusted could have made up. Must not: look at any other header, or limit.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::settings::IdentitySettings;
use crate::policy::ids::ClientId;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The rules of identity.
#[derive(Debug)]
pub(super) struct Identify {
    trusted: Vec<IpNet>,
    ipv6_prefix: u8,
}

impl Identify {
    pub(super) fn new(settings: &IdentitySettings) -> Self {
        Self {
            trusted: settings.trusted_proxies.clone(),
            ipv6_prefix: settings.ipv6_prefix,
        }
    }

    /// Whether what `peer` says about its client is believed.
    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }

    /// The address a request is from.
    pub(super) fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if self.trusted.is_empty() || !self.trusts(peer) {
            return peer.to_canonical();
        }
        let mut nearest = peer.to_canonical();
        for value in headers.get_all(X_FORWARDED_FOR).iter().rev() {
            for hop in value.as_bytes().rsplit(|byte| *byte == b',') {
                // Whatever stands left of something unreadable could have been made up by anybody.
                let Some(address) = parse_hop(hop) else {
                    return nearest;
                };
                nearest = address;
                if !self.trusts(address) {
                    return nearest;
                }
            }
        }
        nearest
    }

    /// Whom limits count for an address.
    pub(super) fn client(&self, address: IpAddr) -> ClientId {
        ClientId::from_address(address, self.ipv6_prefix)
    }
}

/// An element of the chain: an address, perhaps with a port (`192.0.2.1:4711`, `[2001:db8::1]:4711`) or in brackets.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    if let Ok(address) = hop.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(socket) = hop.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    let inner = hop.strip_prefix('[')?.strip_suffix(']')?;
    inner
        .parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identify(trusted: &[&str]) -> Identify {
        Identify {
            trusted: trusted
                .iter()
                .map(|network| network.parse().unwrap())
                .collect(),
            ipv6_prefix: 64,
        }
    }

    fn seen(trusted: &[&str], peer: &str, chain: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in chain {
            headers.append(X_FORWARDED_FOR, http::HeaderValue::from_static(value));
        }
        identify(trusted)
            .address(peer.parse().unwrap(), &headers)
            .to_string()
    }

    #[test]
    fn nobody_is_believed_by_default() {
        assert_eq!(seen(&[], "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
    }

    #[test]
    fn the_walk_goes_from_right_to_left_and_stops_at_the_first_stranger() {
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"];
        for (chain, client) in [
            (vec!["203.0.113.9"], "203.0.113.9"),
            (vec!["1.1.1.1, 203.0.113.9, 10.0.0.7"], "203.0.113.9"),
            (vec!["1.1.1.1", "203.0.113.9", "10.0.0.7"], "203.0.113.9"),
            (vec!["10.0.0.3, 10.0.0.7"], "10.0.0.3"),
            (vec!["203.0.113.9, rubbish, 10.0.0.7"], "10.0.0.7"),
            (vec!["203.0.113.9:4711"], "203.0.113.9"),
            (vec!["[2001:db8::5]:4711"], "2001:db8::5"),
            (vec!["[2001:db8::5]"], "2001:db8::5"),
            (vec!["198.51.100.4, 2001:db8:ffff::1"], "198.51.100.4"),
            (vec!["::ffff:203.0.113.9"], "203.0.113.9"),
            (vec![""], "10.0.0.1"),
            (vec![], "10.0.0.1"),
        ] {
            assert_eq!(seen(&trusted, "10.0.0.1", &chain), client, "{chain:?}");
        }
    }

    #[test]
    fn a_mapped_peer_is_matched_as_the_ipv4_address_it_is() {
        assert_eq!(
            seen(&["10.0.0.0/8"], "::ffff:10.0.0.1", &["203.0.113.9"]),
            "203.0.113.9"
        );
    }
}
