//! `Cache-Control`, of requests and of responses (RFC 9111, section 5.2).
//!
//! Guarantees: what cannot be read means what costs the least trust: a lifetime is 0, of two different ones the stricter holds, and
//! `private` or `no-cache` with a list of fields is one without. Must not: know whom it was said by.

use std::time::Duration;

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderValue};

/// The largest number of seconds told apart: RFC 9111, section 1.2.2.
const MAX_SECONDS: u64 = 1 << 31;

/// What `Cache-Control` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Keep nothing.
    pub no_store: bool,
    /// Ask before use.
    pub no_cache: bool,
    /// For one user alone.
    pub private: bool,
    /// For everybody, even where `Authorization` came with the request.
    pub public: bool,
    /// Never stale.
    pub must_revalidate: bool,
    /// Never stale from a shared cache.
    pub proxy_revalidate: bool,
    /// A request's: from the cache or not at all.
    pub only_if_cached: bool,
    /// For how long it is fresh; a request's: how old an answer may be.
    pub max_age: Option<Duration>,
    /// For how long it is fresh in a shared cache.
    pub s_maxage: Option<Duration>,
    /// A request's: how stale an answer may be; any if nothing is said.
    pub max_stale: Option<Duration>,
    /// A request's: how long an answer must remain fresh.
    pub min_fresh: Option<Duration>,
    /// For how long it may be used stale while it is asked for anew (RFC 5861, section 3).
    pub stale_while_revalidate: Option<Duration>,
    /// For how long it may be used stale in place of an error (RFC 5861, section 4).
    pub stale_if_error: Option<Duration>,
}

impl Directives {
    /// Those of a response.
    #[must_use]
    pub fn of_response(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            directives.read(value);
        }
        directives
    }

    /// Those of a request. `Pragma: no-cache` counts where there is no `Cache-Control` (RFC 9111, section 5.4).
    #[must_use]
    pub fn of_request(headers: &HeaderMap) -> Self {
        let mut directives = Self::of_response(headers);
        if let Some(pragma) = headers.get(PRAGMA)
            && !headers.contains_key(CACHE_CONTROL)
        {
            let mut said = Self::default();
            said.read(pragma);
            directives.no_cache = said.no_cache;
        }
        directives
    }

    fn read(&mut self, value: &HeaderValue) {
        // What is no text can only be garbage, between commas that are.
        let text = String::from_utf8_lossy(value.as_bytes());
        for (name, argument) in members(&text) {
            self.take(&name.to_ascii_lowercase(), argument);
        }
    }

    fn take(&mut self, name: &str, argument: Option<&str>) {
        let lifetime = |known: Option<Duration>| {
            let said = argument.and_then(seconds).unwrap_or_default();
            Some(known.map_or(said, |known| known.min(said)))
        };
        match name {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "only-if-cached" => self.only_if_cached = true,
            "max-age" => self.max_age = lifetime(self.max_age),
            "s-maxage" => self.s_maxage = lifetime(self.s_maxage),
            "max-stale" if argument.is_none() => {
                self.max_stale.get_or_insert(Duration::MAX);
            }
            "max-stale" => self.max_stale = lifetime(self.max_stale),
            // None is less than any: of two the longer holds, which asks for more.
            "min-fresh" => self.min_fresh = self.min_fresh.max(argument.and_then(seconds)),
            "stale-while-revalidate" => {
                self.stale_while_revalidate = lifetime(self.stale_while_revalidate);
            }
            "stale-if-error" => self.stale_if_error = lifetime(self.stale_if_error),
            _ => {}
        }
    }
}

/// A number of seconds; more than can be told apart is as much as can be.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| {
        let seconds = text.parse().unwrap_or(MAX_SECONDS);
        Duration::from_secs(seconds.min(MAX_SECONDS))
    })
}

/// The members of a list, each a name with its argument; a comma in quotes ends nothing.
fn members(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut quoted = false;
    let mut escaped = false;
    let ends = move |sign: char| {
        if escaped {
            escaped = false;
        } else {
            match sign {
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ',' => return !quoted,
                _ => {}
            }
        }
        false
    };
    text.split(ends).map(|member| {
        let member = member.trim_matches([' ', '\t']);
        match member.split_once('=') {
            None => (member, None),
            Some((name, argument)) => {
                let inner = argument
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'));
                (name, Some(inner.unwrap_or(argument)))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Directives {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(value).unwrap());
        }
        Directives::of_response(&headers)
    }

    #[test]
    fn directives_are_read_whatever_their_case_and_place() {
        let read = read(&[
            "PUBLIC, Max-Age=60",
            "x=\"no-store, private\", stale-if-error=\"5\"",
        ]);
        let expected = Directives {
            public: true,
            max_age: Some(Duration::from_secs(60)),
            stale_if_error: Some(Duration::from_secs(5)),
            ..Directives::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_cannot_be_read_is_not_trusted() {
        for text in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age= 60",
            "max-age=a1",
            "max-age=60, max-age=0",
        ] {
            assert_eq!(read(&[text]).max_age, Some(Duration::ZERO), "{text}");
        }
        assert_eq!(read(&["max-age =60"]).max_age, None);
        let huge = read(&["max-age=99999999999999999999"]).max_age;
        assert_eq!(huge, Some(Duration::from_secs(MAX_SECONDS)));
        assert!(read(&["private=\"set-cookie\""]).private);
        assert!(read(&["no-cache=\"set-cookie\""]).no_cache);
    }

    #[test]
    fn the_order_of_directives_means_nothing() {
        for (one, other) in [
            ("max-stale", "max-stale=5"),
            ("min-fresh=5", "min-fresh=60"),
            ("min-fresh=5", "min-fresh=soon"),
            ("max-age=5", "max-age=60"),
        ] {
            assert_eq!(read(&[one, other]), read(&[other, one]), "{one}, {other}");
        }
        let strict = read(&["max-stale=5, max-stale, min-fresh=60, min-fresh=5"]);
        assert_eq!(strict.max_stale, Some(Duration::from_secs(5)));
        assert_eq!(strict.min_fresh, Some(Duration::from_secs(60)));
    }

    #[test]
    fn pragma_counts_where_nothing_else_is_said() {
        let mut headers = HeaderMap::new();
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        assert!(Directives::of_request(&headers).no_cache);
        assert!(!Directives::of_response(&headers).no_cache);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-stale"));
        let read = Directives::of_request(&headers);
        assert!(!read.no_cache);
        assert_eq!(read.max_stale, Some(Duration::MAX));
    }
}
