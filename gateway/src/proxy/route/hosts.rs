//! Which hosts lead to which tree: a host by name, then by the longest domain above it, then any. Must not: look at a path.

use std::borrow::Cow;

use hashbrown::HashMap;
use http::header::HOST;
use http::request::Parts as Head;

use super::tree::Tree;
use crate::proxy::settings::HostPattern;

/// The longest name there is (RFC 1035, section 2.3.4): what is longer has no route of its own and costs no look-up.
const LONGEST: usize = 253;

/// The trees of hosts that routes name.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: HashMap<Box<str>, Tree>,
    below: HashMap<Box<str>, Tree>,
}

impl Hosts {
    pub(super) fn tree(&mut self, pattern: &HostPattern) -> &mut Tree {
        let (trees, host) = match pattern {
            HostPattern::Exact(host) => (&mut self.exact, host),
            HostPattern::Below(host) => (&mut self.below, host),
        };
        trees.entry(host.clone()).or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    pub(super) fn finish(&mut self) {
        let all = self.exact.values_mut().chain(self.below.values_mut());
        all.for_each(Tree::finish);
    }

    /// What `visit` finds in the trees of `host`, the most specific first.
    pub(super) fn search<T>(
        &self,
        host: &str,
        mut visit: impl FnMut(&Tree) -> Option<T>,
    ) -> Option<T> {
        let host = plain(host);
        if host.is_empty() || host.len() > LONGEST {
            return None;
        }
        if let Some(found) = self.exact.get(&*host).and_then(&mut visit) {
            return Some(found);
        }
        if self.below.is_empty() {
            return None;
        }
        let dots = memchr::memchr_iter(b'.', host.as_bytes());
        dots.filter_map(|at| self.below.get(&host[at + 1..]))
            .find_map(visit)
    }
}

/// The host a request is for, with its port. It has been checked to be one.
pub(in crate::proxy) fn asked(head: &Head) -> &str {
    if let Some(authority) = head.uri.authority() {
        return authority.as_str();
    }
    let host = head.headers.get(HOST).map(|host| host.to_str());
    host.and_then(Result::ok).unwrap_or_default()
}

/// Without its port.
pub(in crate::proxy) fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Without its port and the dot of the root, in lower case: copied only where it is not.
fn plain(host: &str) -> Cow<'_, str> {
    let name = name(host);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_without_port_case_and_root() {
        for (host, name) in [
            ("a.example", "a.example"),
            ("A.Example:8080", "a.example"),
            ("a.example.:1", "a.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("a:", "a"),
        ] {
            assert_eq!(plain(host), name, "{host}");
        }
    }
}
