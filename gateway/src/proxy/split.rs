//! Which of several upstreams a request goes to: by weight, and the same one again for whoever is recognised.
//!
//! Guarantees: a choice that sticks is a function of what the client is recognised by and of nothing else, so every replica
//! chooses alike and nothing is stored. Whoever's weight grows takes clients from its neighbours in the list and leaves the others
//! where they were. Must not: look at the state of a circuit: a canary that fails must be seen to fail.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{COOKIE, HeaderMap};
use http::{HeaderName, HeaderValue};

use super::settings::StickySettings;
use crate::telemetry::Counter;

/// Several upstreams.
#[derive(Debug)]
pub(super) struct Split {
    shares: Vec<Share>,
    total: u64,
    sticky: Option<Sticky>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Share {
    /// Its place among the proxy's upstreams.
    pub(super) upstream: usize,
    pub(super) weight: u32,
    pub(super) requests: Arc<Counter>,
}

#[derive(Debug)]
enum Sticky {
    Client,
    Cookie(Box<str>),
    Header(HeaderName),
}

/// What was chosen.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The upstream's place.
    pub(super) upstream: usize,
    /// What the client is to show next time.
    pub(super) cookie: Option<HeaderValue>,
}

impl Split {
    /// `shares` have weights that are not all 0.
    pub(super) fn new(shares: Vec<Share>, sticky: Option<&StickySettings>) -> Self {
        Self {
            total: shares.iter().map(|share| u64::from(share.weight)).sum(),
            shares,
            sticky: sticky.map(|sticky| match sticky {
                StickySettings::Client => Sticky::Client,
                StickySettings::Cookie(name) => Sticky::Cookie(name.clone()),
                StickySettings::Header(name) => Sticky::Header(name.clone()),
            }),
        }
    }

    /// The upstream for a request from `client`; `secure` says that a cookie may be kept to encrypted requests.
    pub(super) fn choose(&self, client: IpAddr, headers: &HeaderMap, secure: bool) -> Chosen {
        let mut made = None;
        let point = match &self.sticky {
            None => fastrand::u64(..),
            Some(Sticky::Client) => point_of_address(client),
            Some(Sticky::Header(name)) => match headers.get(name) {
                Some(value) => point(value.as_bytes()),
                None => point_of_address(client),
            },
            Some(Sticky::Cookie(name)) => match cookie(headers, name) {
                Some(value) => point(value),
                None => {
                    let value = format!("{:016x}", fastrand::u64(..));
                    made = set_cookie(name, &value, secure);
                    point(value.as_bytes())
                }
            },
        };
        let share = self.at(point);
        share.requests.inc();
        Chosen {
            upstream: share.upstream,
            cookie: made,
        }
    }

    /// The share in which a point of the whole range lies.
    fn at(&self, point: u64) -> &Share {
        let scaled = (u128::from(point) * u128::from(self.total)) >> 64;
        let mut left = u64::try_from(scaled).unwrap_or_default();
        for share in &self.shares {
            match left.checked_sub(u64::from(share.weight)) {
                Some(rest) => left = rest,
                None => return share,
            }
        }
        // Not reached: the weights add up to the total. There is at least one.
        &self.shares[0]
    }
}

fn point_of_address(client: IpAddr) -> u64 {
    match client {
        IpAddr::V4(address) => point(&address.octets()),
        IpAddr::V6(address) => point(&address.octets()),
    }
}

/// FNV-1a with the finaliser of `MurmurHash3`: published, so that it stays the same in every version and on every machine.
fn point(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The value of a cookie (RFC 6265, section 4.2.1).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let mut pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        value.strip_prefix(b"=").filter(|value| !value.is_empty())
    })
}

/// For this session and all paths; not for scripts, not across sites.
fn set_cookie(name: &str, value: &str, secure: bool) -> Option<HeaderValue> {
    let mut text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
    if secure {
        let _ = write!(text, "; Secure");
    }
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(weights: &[u32], sticky: Option<&StickySettings>) -> Split {
        let share = |(upstream, weight): (usize, &u32)| Share {
            upstream,
            weight: *weight,
            requests: Arc::default(),
        };
        Split::new(weights.iter().enumerate().map(share).collect(), sticky)
    }

    #[test]
    fn a_point_lies_in_the_share_its_weight_gives() {
        let split = split(&[95, 0, 5], None);
        let step = u64::MAX / 1000;
        let mut counts = [0; 3];
        for number in 0..1000 {
            counts[split.at(number * step).upstream] += 1;
        }
        assert!((949..=951).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[1], 0);
        assert_eq!(split.at(u64::MAX).upstream, 2);
        assert_eq!(split.at(0).upstream, 0);
    }

    #[test]
    fn a_growing_canary_takes_clients_and_moves_no_others() {
        let sticky = Some(&StickySettings::Client);
        let (before, after) = (split(&[95, 5], sticky), split(&[80, 20], sticky));
        let mut canaries = [0; 2];
        for number in 0..10_000_u32 {
            let client = IpAddr::from(number.to_be_bytes());
            let chosen = |split: &Split| split.choose(client, &HeaderMap::new(), false).upstream;
            let (one, other) = (chosen(&before), chosen(&after));
            assert!(one <= other, "{client} left the canary");
            canaries[0] += one;
            canaries[1] += other;
        }
        assert!((400..600).contains(&canaries[0]), "{canaries:?}");
        assert!((1_800..2_200).contains(&canaries[1]), "{canaries:?}");
    }

    #[test]
    fn the_hash_is_pinned() {
        assert_eq!(point(b"canary"), 0x3453_57cf_8fb3_41c5);
        assert_eq!(point(&[192, 0, 2, 1]), 0x8039_3182_6a22_88ea);
    }
}
