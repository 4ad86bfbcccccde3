//! The rules as a table: what each says of an answer.

use super::*;
use http::{HeaderName, HeaderValue};

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    map
}

fn judged(pairs: &[(&'static str, &str)], asked: Asked, rules: &Rules) -> Result<Terms, Reason> {
    judge(
        &Method::GET,
        StatusCode::OK,
        &headers(pairs),
        asked,
        rules,
        NOW,
    )
}

fn fresh(pairs: &[(&'static str, &str)]) -> Result<u64, Reason> {
    let terms = judged(pairs, Asked::default(), &Rules::default())?;
    Ok(terms.fresh_for.as_secs())
}

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;
const HOUR: (&str, &str) = ("cache-control", "max-age=3600");
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn lifetimes_are_the_upstreams() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (expected, pairs) in [
        (Ok(3600), &[HOUR][..]),
        (Ok(60), &[("cache-control", "max-age=10, s-maxage=60")]),
        (
            Ok(10),
            &[date, ("expires", "Sun, 06 Nov 1994 08:49:47 GMT")],
        ),
        (Ok(3600), &[HOUR, date, ("expires", "0")]),
        (Err(Reason::NoLifetime), &[date, ("expires", "0")]),
        // Whoever does not tell the time is taken to have answered now.
        (Ok(10), &[("expires", "Sun, 06 Nov 1994 08:49:47 GMT")]),
        (
            Ok(10),
            &[
                ("date", "now"),
                ("expires", "Sun, 06 Nov 1994 08:49:47 GMT"),
            ],
        ),
        (
            Err(Reason::NoLifetime),
            &[("expires", "Sun, 06 Nov 1994 08:49:37 GMT")],
        ),
        (
            Err(Reason::NoLifetime),
            &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
        ),
        (Ok(0), &[("cache-control", "no-cache"), ("etag", "\"a\"")]),
        (Err(Reason::NoLifetime), &[("cache-control", "no-cache")]),
        (Err(Reason::NoStore), &[HOUR, ("cache-control", "no-store")]),
        (
            Err(Reason::Private),
            &[HOUR, ("cache-control", "private=\"x\"")],
        ),
        (Err(Reason::SetCookie), &[HOUR, ("set-cookie", "a=b")]),
    ] {
        assert_eq!(fresh(pairs), expected, "{pairs:?}");
    }
}

#[test]
fn what_is_for_one_is_not_kept_for_all() {
    let authorized = Asked {
        authorized: true,
        ..Asked::default()
    };
    let rules = Rules {
        ttl: Some(SECOND * 60),
        ..Rules::default()
    };
    let with = |value: &str| judged(&[("cache-control", value)], authorized, &rules);
    assert_eq!(with("max-age=60").unwrap_err(), Reason::Authorization);
    for leave in ["public", "must-revalidate", "s-maxage=5"] {
        assert!(with(leave).is_ok(), "{leave}");
    }
    assert_eq!(
        judged(&[], authorized, &rules).unwrap_err(),
        Reason::Authorization
    );
    let cookies = Asked {
        cookies: true,
        ..Asked::default()
    };
    assert_eq!(judged(&[], cookies, &rules).unwrap_err(), Reason::Cookie);
    assert!(judged(&[HOUR], cookies, &rules).is_ok());
    let shared = Rules {
        ignore_authorization: true,
        ..rules
    };
    assert!(judged(&[], authorized, &shared).is_ok());
}

#[test]
fn a_status_is_repeated_when_it_may_be() {
    let judge = |status, pairs: &[(&'static str, &str)], rules: &Rules| {
        let status = StatusCode::from_u16(status).unwrap();
        judge(
            &Method::GET,
            status,
            &headers(pairs),
            Asked::default(),
            rules,
            NOW,
        )
        .is_ok()
    };
    let ttl = Rules {
        ttl: Some(SECOND),
        ..Rules::default()
    };
    for status in [200, 203, 204, 300, 301, 308, 404, 410] {
        assert!(judge(status, &[], &ttl), "{status}");
    }
    for status in [201, 302, 307, 400, 403, 500, 503] {
        assert!(!judge(status, &[], &ttl), "{status}");
    }
    for status in [201, 302, 307, 400, 403] {
        assert!(judge(status, &[HOUR], &ttl), "{status}");
    }
    for status in [206, 304, 500, 503] {
        assert!(!judge(status, &[HOUR], &ttl), "{status}");
    }
}

fn terms(value: &str) -> Terms {
    judged(
        &[("cache-control", value)],
        Asked::default(),
        &Rules::default(),
    )
    .unwrap()
}

#[test]
fn use_depends_on_age_and_on_both_sides_words() {
    let none = Directives::default();
    let kept = terms("max-age=10, stale-while-revalidate=5, stale-if-error=20");
    assert_eq!(kept.allow(SECOND * 9, &none), Use::Fresh);
    assert_eq!(kept.allow(SECOND * 10, &none), Use::WhileRevalidating);
    assert_eq!(kept.allow(SECOND * 15, &none), Use::Validate);
    assert!(kept.allow_on_error(SECOND * 29, &none));
    assert!(!kept.allow_on_error(SECOND * 30, &none));
    assert_eq!(kept.keep_for, SECOND * 30);
    let asks = |change: fn(&mut Directives)| {
        let mut asks = Directives::default();
        change(&mut asks);
        asks
    };
    let young = asks(|asks| asks.max_age = Some(SECOND * 3));
    assert_eq!(kept.allow(SECOND * 3, &young), Use::Fresh);
    assert_eq!(kept.allow(SECOND * 4, &young), Use::Validate);
    let lasting = asks(|asks| asks.min_fresh = Some(SECOND * 5));
    assert_eq!(kept.allow(SECOND * 4, &lasting), Use::Fresh);
    assert_eq!(kept.allow(SECOND * 5, &lasting), Use::Validate);
    let any = asks(|asks| asks.max_stale = Some(Duration::MAX));
    assert_eq!(kept.allow(SECOND * 99, &any), Use::Stale);
    let new = asks(|asks| asks.no_cache = true);
    assert_eq!(kept.allow(Duration::ZERO, &new), Use::Validate);
}

#[test]
fn what_must_be_validated_is_never_used_stale() {
    let any = Directives {
        max_stale: Some(Duration::MAX),
        stale_if_error: Some(Duration::MAX),
        ..Directives::default()
    };
    for word in ["must-revalidate", "proxy-revalidate", "s-maxage=10"] {
        let value = format!("max-age=10, stale-while-revalidate=60, stale-if-error=60, {word}");
        let kept = terms(&value);
        assert_eq!(kept.allow(SECOND * 11, &any), Use::Validate, "{word}");
        assert!(!kept.allow_on_error(SECOND * 11, &any), "{word}");
    }
}

#[test]
fn age_is_the_larger_of_what_is_told_and_what_is_seen() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let made = 784_111_777;
    let age = |pairs: &[(&'static str, &str)], now| {
        initial_age(&headers(pairs), now, SECOND * 2).as_secs()
    };
    assert_eq!(age(&[date], made), 2);
    assert_eq!(age(&[date], made + 30), 30);
    assert_eq!(age(&[date, ("age", "60")], made + 30), 62);
    assert_eq!(age(&[date, ("age", "60, 5")], made), 62);
    for garbage in ["-1", "x", "", "1.5"] {
        assert_eq!(age(&[("age", garbage)], made), 2, "{garbage}");
    }
}
