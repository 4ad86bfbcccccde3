//! What a request is hashed by, where its upstream sends like to like.
//!
//! Guarantees: the same request has the same hash on every replica. Must not: be asked where nothing is hashed.

use http::HeaderMap;
use http::header::COOKIE;

use crate::policy::balance::hash;
use crate::policy::ids::ClientId;
use crate::upstream::settings::HashKey;

/// The hash of what `key` names; none where the request has no such thing.
pub(super) fn of(key: &HashKey, client: &ClientId, headers: &HeaderMap) -> Option<u64> {
    match key {
        HashKey::Client => Some(of_client(client)),
        HashKey::Header(name) => headers.get(name).map(|value| hash(value.as_bytes())),
        HashKey::Cookie(name) => cookie(headers, name).map(hash),
    }
}

fn of_client(client: &ClientId) -> u64 {
    match client {
        ClientId::V4(address) => hash(&address.octets()),
        ClientId::V6(network, _) => hash(&network.octets()),
        ClientId::Text(text) => hash(text.as_bytes()),
    }
}

/// A cookie's value, quotes and all (RFC 6265, section 4.2.1). Of several the first, which is the most specific (section 5.4).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs
        .map(<[u8]>::trim_ascii)
        .find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_cookie_is_found_among_others() {
        for (line, expected) in [
            ("a=1; session=xyz; b=2", Some("xyz")),
            ("session=xyz", Some("xyz")),
            ("session=", None),
            ("mysession=1", None),
            ("session_id=1;session=2", Some("2")),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, HeaderValue::from_static(line));
            let expected = expected.map(str::as_bytes);
            assert_eq!(cookie(&headers, "session"), expected, "{line}");
        }
        let mut crumbs = HeaderMap::new();
        crumbs.append(COOKIE, HeaderValue::from_static("a=1"));
        crumbs.append(COOKIE, HeaderValue::from_static("session=xyz"));
        assert_eq!(cookie(&crumbs, "session"), Some(&b"xyz"[..]));
    }

    #[test]
    fn a_request_without_its_key_has_no_hash() {
        let client = ClientId::from_address("192.0.2.7".parse().unwrap(), 64);
        let mut headers = HeaderMap::new();
        let key = HashKey::Header("x-tenant".parse().unwrap());
        assert_eq!(of(&key, &client, &headers), None);
        headers.append("x-tenant", HeaderValue::from_static("blue"));
        assert_eq!(of(&key, &client, &headers), Some(hash(b"blue")));
        assert_eq!(
            of(&HashKey::Client, &client, &headers),
            Some(hash(&[192, 0, 2, 7]))
        );
    }
}
