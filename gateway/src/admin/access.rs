//! Who may use the API.
//!
//! Guarantees: with a token, only who shows it, compared in constant time; without, only through a loopback address and under a
//! loopback name, so that neither another machine nor a web page that was told a false address gets in; in either case no page of
//! another origin. There are no cookies, so there is nothing that a browser adds by itself. Must not: know what is asked for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq as _;

use super::answer::Problem;
use super::settings::Token;

/// The rule in force.
#[derive(Clone)]
pub(super) enum Access {
    /// Who shows the token.
    Token(Token),
    /// Who is on this machine.
    Loopback,
    /// Nobody: it can be reached from elsewhere, and there is no token to tell friend from foe.
    Closed,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Access {
    pub(super) fn new(listen: SocketAddr, token: Option<Token>) -> Self {
        match token {
            Some(token) => Self::Token(token),
            None if listen.ip().is_loopback() => Self::Loopback,
            None => Self::Closed,
        }
    }

    /// How whoever passed is called in the audit log.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Loopback => "loopback",
            Self::Closed => "nobody",
        }
    }

    /// Lets a request in, or says why not.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        same_origin(headers)?;
        match self {
            Self::Token(token) if shows(headers, token) => Ok(()),
            Self::Token(_) => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "show the token of `admin.token`: Authorization: Bearer …",
            )),
            Self::Loopback if is_local(headers) => Ok(()),
            Self::Loopback => Err(forbidden(
                "without `admin.token` this API answers only to a loopback address or localhost",
            )),
            Self::Closed => Err(forbidden(
                "this listener can be reached from other machines and has no `admin.token`: only probes and metrics are served",
            )),
        }
    }
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail)
}

fn shows(headers: &HeaderMap, token: &Token) -> bool {
    let shown = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let shown = shown.and_then(|value| {
        let (scheme, token) = value.split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
    });
    shown.is_some_and(|shown| shown.ct_eq(token.expose().as_bytes()).into())
}

/// A browser says where the page comes from that asks; other programs say nothing.
fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let foreign = || forbidden("requests from pages of another origin are refused");
    if !matches!(text("sec-fetch-site"), None | Some("same-origin" | "none")) {
        return Err(foreign());
    }
    let Some(origin) = text(ORIGIN.as_str()) else {
        return Ok(());
    };
    let host = text(HOST.as_str()).unwrap_or_default();
    let authority = origin
        .split_once("://")
        .map_or("", |(_, authority)| authority);
    if authority.is_empty() || !authority.eq_ignore_ascii_case(host) {
        return Err(foreign());
    }
    Ok(())
}

/// Whether the name the client used means this machine: a page whose name was made to point here has another.
fn is_local(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (
        hosts.next().and_then(|host| host.to_str().ok()),
        hosts.next(),
    ) else {
        return false;
    };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(access: &Access, headers: &[(&'static str, &str)]) -> Option<u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        access.check(&map).err().map(|problem| {
            super::super::answer::Answer::from(problem)
                .status()
                .as_u16()
        })
    }

    #[test]
    fn without_a_token_only_this_machine_under_its_own_name() {
        let access = Access::new(([127, 0, 0, 1], 9900).into(), None);
        for host in [
            "127.0.0.1:9900",
            "localhost",
            "LOCALHOST:1",
            "[::1]:9900",
            "127.0.0.1",
            "[::1]",
        ] {
            assert_eq!(check(&access, &[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.test",
            "evil.test:9900",
            "localhost.evil.test",
            "10.0.0.1:9900",
            "",
        ] {
            assert_eq!(check(&access, &[("host", host)]), Some(403), "{host}");
        }
        assert_eq!(check(&access, &[]), Some(403));
        assert_eq!(
            check(&access, &[("host", "localhost"), ("host", "evil.test")]),
            Some(403)
        );
    }

    #[test]
    fn pages_of_another_origin_are_refused() {
        let access = Access::Loopback;
        let host = ("host", "localhost:9900");
        assert_eq!(
            check(&access, &[host, ("origin", "http://localhost:9900")]),
            None
        );
        assert_eq!(
            check(&access, &[host, ("sec-fetch-site", "same-origin")]),
            None
        );
        for (name, value) in [
            ("origin", "http://evil.test"),
            ("origin", "null"),
            ("origin", "http://localhost:9901"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(check(&access, &[host, (name, value)]), Some(403), "{value}");
        }
    }

    #[test]
    fn with_a_token_only_who_shows_it() {
        let access = Access::new(
            ([0, 0, 0, 0], 9900).into(),
            Some(Token::new("s3cret-s3cret-s3cret")),
        );
        let host = ("host", "gateway.internal");
        let show = |value: &str| check(&access, &[host, ("authorization", value)]);
        assert_eq!(show("Bearer s3cret-s3cret-s3cret"), None);
        assert_eq!(show("bearer s3cret-s3cret-s3cret"), None);
        for wrong in [
            "Bearer s3cret-s3cret-s3cre",
            "Bearer ",
            "s3cret-s3cret-s3cret",
            "Basic s3cret-s3cret-s3cret",
        ] {
            assert_eq!(show(wrong), Some(401), "{wrong}");
        }
        assert_eq!(check(&access, &[host]), Some(401));
    }

    #[test]
    fn reachable_from_elsewhere_without_a_token_nobody_gets_in() {
        let access = Access::new(([0, 0, 0, 0], 9900).into(), None);
        assert_eq!(check(&access, &[("host", "127.0.0.1:9900")]), Some(403));
    }
}
