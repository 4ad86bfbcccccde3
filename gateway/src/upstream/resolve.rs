//! Names become addresses: all of them endpoints, looked up again when their time to live is over.
//!
//! Guarantees: runs in the background; a name that cannot be resolved leaves what was last known, and at the start the name itself,
//! which is then dialled by the system's own resolver; the number of addresses is bounded. Must not: connect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::time::{sleep, timeout};

use super::membership::{Change, Membership};
use super::settings::{DnsSettings, EndpointSettings, Family, Settings};

/// The most addresses of one name.
const MAX_ADDRESSES: usize = 256;
/// The shortest between two look-ups, whatever a time to live says and however often they fail.
const LEAST: Duration = Duration::from_secs(1);

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
enum LookupError {
    #[error("{0}")]
    Refused(#[from] NetError),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("it has no address of this family")]
    Empty,
}

/// What a look-up found.
struct Found {
    addresses: Vec<SocketAddr>,
    lifetime: Duration,
}

/// The numbers of those endpoints that are names. `localhost` is none: it is this machine whatever DNS says (RFC 6761, section 6.3),
/// and of its two addresses a service often listens on one.
pub(super) fn names(settings: &Settings) -> Vec<usize> {
    let endpoints = settings.endpoints.iter().enumerate();
    endpoints
        .filter(|(_, one)| is_name(one))
        .map(|(place, _)| place)
        .collect()
}

fn is_name(endpoint: &EndpointSettings) -> bool {
    let host = endpoint.authority.host();
    let plain = host.trim_end_matches('.').to_ascii_lowercase();
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    !is_address && plain != "localhost" && !plain.ends_with(".localhost")
}

/// Keeps the addresses of the configured endpoint number `place` current.
pub(super) async fn follow(membership: Arc<Membership>, place: usize) {
    let settings = membership.settings();
    let Some(endpoint) = settings.endpoints.get(place) else {
        return;
    };
    let dns = &settings.dns;
    let mut failures = 0_u32;
    loop {
        let wait = match look_up(endpoint, dns).await {
            Ok(found) => {
                failures = 0;
                membership.resolved(place, &found.addresses);
                found.lifetime.min(dns.refresh)
            }
            Err(error) => {
                if failures == 0 {
                    let change = Change::Unresolved(error.to_string());
                    membership.tell(endpoint.authority.as_str(), &change);
                }
                failures = failures.saturating_add(1);
                let grown = LEAST.saturating_mul(1 << failures.min(10));
                grown.min(dns.refresh).mul_f64(0.5 + fastrand::f64() / 2.0)
            }
        };
        sleep(wait.max(LEAST)).await;
    }
}

async fn look_up(endpoint: &EndpointSettings, dns: &DnsSettings) -> Result<Found, LookupError> {
    let resolver = resolver(dns)?;
    let host = endpoint.authority.host();
    let found = timeout(dns.timeout, resolver.lookup_ip(host));
    let found = found
        .await
        .map_err(|_| LookupError::Timeout(dns.timeout))??;
    let port = endpoint.port();
    let mut addresses: Vec<_> = found.iter().map(|ip| SocketAddr::new(ip, port)).collect();
    // In an order of their own, so that a server that shuffles its answers changes nothing.
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    if dns.family == Family::Any {
        reachable(&mut addresses, has_route);
    }
    if addresses.is_empty() {
        return Err(LookupError::Empty);
    }
    let records = found.as_lookup().answers().iter();
    let lifetime = records.map(|record| record.ttl).min().unwrap_or_default();
    Ok(Found {
        addresses,
        lifetime: Duration::from_secs(lifetime.into()),
    })
}

/// A new one each time: it has no memory that could outlive a time to live, and `/etc/hosts` and `/etc/resolv.conf` may have changed.
fn resolver(dns: &DnsSettings) -> Result<TokioResolver, NetError> {
    let mut builder = if dns.servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = dns.servers.iter().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.ip_strategy = match dns.family {
        Family::Any => LookupIpStrategy::Ipv4AndIpv6,
        Family::V4 => LookupIpStrategy::Ipv4Only,
        Family::V6 => LookupIpStrategy::Ipv6Only,
    };
    builder.build()
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    udp.port = address.port();
    tcp.port = address.port();
    NameServerConfig::new(address.ip(), true, vec![udp, tcp])
}

/// Leaves out addresses of a family that this machine has no route for (RFC 6724, section 5, rule 1), if any remain then: with IPv6
/// off, every other request to a name that has both would fail.
fn reachable(addresses: &mut Vec<SocketAddr>, is_routed: impl Fn(&SocketAddr) -> bool) {
    let routed: Vec<_> = addresses.iter().copied().filter(is_routed).collect();
    if !routed.is_empty() {
        *addresses = routed;
    }
}

/// Connecting a datagram socket asks the kernel for a route and sends nothing.
fn has_route(address: &SocketAddr) -> bool {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).is_ok_and(|socket| socket.connect(address).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_addresses() {
        for (authority, expected) in [
            ("10.0.0.7:80", false),
            ("[2001:db8::1]:80", false),
            ("localhost:80", false),
            ("LOCALHOST.:80", false),
            ("app.localhost:80", false),
            ("service.internal:80", true),
            ("mock", true),
        ] {
            let endpoint = EndpointSettings {
                scheme: crate::upstream::settings::Scheme::Http,
                authority: authority.parse().unwrap(),
                weight: 1,
            };
            assert_eq!(is_name(&endpoint), expected, "{authority}");
        }
    }

    #[test]
    fn an_address_without_a_route_is_left_out_unless_there_is_no_other() {
        let [four, six] = ["10.0.0.7:80", "[2001:db8::7]:80"].map(|one| one.parse().unwrap());
        for (routed, expected) in [
            (vec![four, six], vec![four, six]),
            (vec![four], vec![four]),
            (vec![six], vec![six]),
            (vec![], vec![four, six]),
        ] {
            let mut addresses = vec![four, six];
            reachable(&mut addresses, |one| routed.contains(one));
            assert_eq!(addresses, expected, "routed: {routed:?}");
        }
        assert!(has_route(&"127.0.0.1:80".parse().unwrap()));
    }
}
