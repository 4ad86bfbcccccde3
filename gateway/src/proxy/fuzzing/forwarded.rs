//! Where a request says it comes from, and which of its fields go on.
//!
//! Must hold: no field of the hop goes on, nor one that `Connection` names; a stranger chooses nothing of what the upstream is told
//! about it; and what stands left of the first stranger in a chain changes nothing.

use std::net::IpAddr;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRAILER, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::super::headers::{self, Hop, Origin, X_FORWARDED_PROTO, X_REQUEST_ID};
use super::super::identify::{Identify, X_FORWARDED_FOR};
use super::super::settings::IdentitySettings;
use super::fields;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Fields of the hop, as RFC 9110, section 7.6.1, and those before it name them.
const HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A request's fields, one to a line, from a peer whose address ends in the first byte: 10.0.0.0/8 is trusted if it is even.
pub fn forwarded(data: &[u8]) {
    let Some((flags, text)) = data.split_first() else {
        return;
    };
    let headers = fields(text);
    let peer = IpAddr::from([if flags % 2 == 0 { 10 } else { 192 }, 0, 2, *flags]);
    let settings = IdentitySettings {
        trusted_proxies: ["10.0.0.0/8", "fd00::/8"]
            .iter()
            .flat_map(|one| one.parse())
            .collect(),
        ipv6_prefix: 64,
    };
    let identify = Identify::new(&settings);
    walk(&identify, peer, &headers);
    let text = HeaderValue::try_from(peer.to_string());
    let peer_text = text.unwrap_or_else(|_| HeaderValue::from_static("-"));
    prepared(headers.clone(), identify.trusts(peer), &peer_text);
    let mut trailers = headers;
    headers::strip_trailers(&mut trailers);
    for name in HOP
        .into_iter()
        .chain(["host", "content-length", "content-type", "x-forwarded-for"])
        .chain(["forwarded", "x-real-ip", "x-forwarded-port"])
    {
        assert!(!trailers.contains_key(name), "{name} is left in trailers");
    }
}

fn walk(identify: &Identify, peer: IpAddr, headers: &HeaderMap) {
    let address = identify.address(peer, headers);
    assert_eq!(address, address.to_canonical());
    if !identify.trusts(peer) {
        assert_eq!(address, peer);
        return;
    }
    if identify.trusts(address) {
        return;
    }
    // Who is no proxy of ours could have written all of what stands before its own address.
    for forged in ["10.0.0.9", "203.0.113.77", "rubbish", ""] {
        let mut longer = HeaderMap::new();
        longer.append(X_FORWARDED_FOR, HeaderValue::from_static(forged));
        for value in headers.get_all(X_FORWARDED_FOR) {
            longer.append(X_FORWARDED_FOR, value.clone());
        }
        assert_eq!(identify.address(peer, &longer), address, "after {forged:?}");
    }
}

fn prepared(mut headers: HeaderMap, trusted: bool, peer: &HeaderValue) {
    let before = headers.clone();
    let origin = Origin {
        peer,
        trusted,
        scheme: "https",
        certificate: None,
        host: before.get(HOST).cloned(),
        version: Version::HTTP_11,
    };
    let id = HeaderValue::from_static("id");
    headers::prepare_request(&mut headers, origin, &id, &Hop::new("edge"));
    for name in HOP.into_iter().chain([EXPECT.as_str()]) {
        assert!(!headers.contains_key(name), "{name} goes on");
    }
    nothing_nominated(&before, &headers);
    for name in [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_REQUEST_ID] {
        let values = headers.get_all(&name).iter().count();
        assert!(values == 1 || (trusted && values > 0), "{values} of {name}");
    }
    assert_eq!(headers[X_REQUEST_ID], "id");
    assert!(
        headers[X_FORWARDED_FOR]
            .as_bytes()
            .ends_with(peer.as_bytes())
    );
    assert!(headers.get_all(VIA).iter().any(|via| via == "1.1 edge"));
    if !trusted {
        assert!(
            !headers.contains_key("client-cert"),
            "a stranger shows a certificate"
        );
        for name in headers.keys().map(HeaderName::as_str) {
            let own = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].contains(&name);
            let is_told = name.starts_with("x-forwarded-") && name.len() > "x-forwarded-".len();
            let is_told = is_told || name == "forwarded" || name == "x-real-ip";
            assert!(own || !is_told, "a stranger says {name}");
        }
        assert_eq!(headers[X_FORWARDED_FOR], peer);
        assert_eq!(headers[X_FORWARDED_PROTO], "https");
        let hosts: Vec<_> = headers.get_all(X_FORWARDED_HOST).iter().collect();
        assert_eq!(hosts, before.get(HOST).into_iter().collect::<Vec<_>>());
    }
}

/// Nothing that `Connection` names goes on, but for what the message would be another one without and what this hop adds.
fn nothing_nominated(before: &HeaderMap, after: &HeaderMap) {
    let kept = [HOST, CONTENT_LENGTH, TRAILER, VIA, X_REQUEST_ID];
    for value in before.get_all(CONNECTION) {
        for word in value.as_bytes().split(|byte| *byte == b',') {
            let Ok(name) = HeaderName::from_bytes(word.trim_ascii()) else {
                continue;
            };
            let ours = name.as_str().starts_with("x-forwarded-");
            assert!(
                ours || kept.contains(&name) || !after.contains_key(&name),
                "{name} was nominated and goes on"
            );
        }
    }
}
