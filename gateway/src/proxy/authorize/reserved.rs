//! The headers in which the upstream is told who is asking. What a client says in one of them is nothing, on any route.
//!
//! Guarantees: `_` for `-` does not help a client, for upstreams to which both are the same. Must not: cost a request that has no such
//! header more than a look at the lengths of its names.

use http::header::TRAILER;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::proxy::settings::AuthSettings;

/// Set whether or not anything is configured: an upstream that believes them must not believe a client.
const ALWAYS: [HeaderName; 2] = [
    HeaderName::from_static("x-authenticated-subject"),
    HeaderName::from_static("x-authenticated-plan"),
];

/// The names.
#[derive(Debug)]
pub(in crate::proxy) struct Reserved {
    names: Vec<HeaderName>,
    /// A bit for each length below 64 that one of the names has; longer ones are the last bit.
    lengths: u64,
}

impl Reserved {
    pub(in crate::proxy) fn new(auth: &[AuthSettings]) -> Self {
        let mut names = ALWAYS.to_vec();
        for name in auth.iter().flat_map(AuthSettings::own_headers) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let lengths = names
            .iter()
            .fold(0, |lengths, name| lengths | bit(name.as_str()));
        Self { names, lengths }
    }

    /// Takes them off a request. One with a trailer section that announces one of them loses the announcement, and with it the section.
    pub(in crate::proxy) fn strip(&self, headers: &mut HeaderMap) {
        let is_reserved = |name: &str| {
            self.lengths & bit(name) != 0 && self.names.iter().any(|own| same(own.as_str(), name))
        };
        if headers.keys().any(|name| is_reserved(name.as_str())) {
            let found: Vec<_> = headers
                .keys()
                .filter(|name| is_reserved(name.as_str()))
                .cloned()
                .collect();
            for name in found {
                headers.remove(name);
            }
        }
        let announces = |value: &HeaderValue| {
            let names = value.as_bytes().split(|byte| *byte == b',');
            names
                .filter_map(|name| std::str::from_utf8(name.trim_ascii()).ok())
                .any(is_reserved)
        };
        if headers.get_all(TRAILER).iter().any(announces) {
            headers.remove(TRAILER);
        }
    }
}

fn bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

fn same(own: &str, name: &str) -> bool {
    let plain = |byte: u8| match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    };
    own.len() == name.len() && own.bytes().map(plain).eq(name.bytes().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_tells_the_upstream_who_they_are() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-authenticated-subject",
            "x_authenticated_plan",
            "x-authenticated-plan",
        ] {
            headers.append(name, HeaderValue::from_static("root"));
            headers.append(name, HeaderValue::from_static("admin"));
        }
        headers.insert("x-kept", HeaderValue::from_static("1"));
        headers.insert(
            TRAILER,
            HeaderValue::from_static("x-sum, X-Authenticated-Subject"),
        );
        Reserved::new(&[]).strip(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("x-kept"));
    }
}
