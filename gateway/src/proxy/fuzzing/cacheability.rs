//! What a shared cache may keep, and when it may use what it kept (RFC 9111).
//!
//! Must hold: what is for one user, or for nobody's cache, is not kept, and no further directive makes it so; what is kept ends;
//! what is fresh was fresh before; what is asked for each time is never used unasked; what is read is read again as it was.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, ETAG, IF_NONE_MATCH, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::fields;
use crate::policy::cacheability::{
    Asked, Digest, Directives, MAX_VARY, Ranged, Reason, Rules, Terms, Use, freshen, initial_age,
    is_not_modified, judge, ranged, validators, variant, vary_names,
};

/// The longest that anything is kept.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
const SECOND: Duration = Duration::from_secs(1);
/// When answers come.
const NOW: u64 = 1_800_000_000;

/// On the first line a method, a status, seconds and a digest; then the fields of a request, an empty line, those of its answer.
pub fn cacheability(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let first = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let rest = parts.next().unwrap_or_default();
    let end = rest.windows(2).position(|two| two == b"\n\n");
    let (request, answer) = rest.split_at(end.unwrap_or(rest.len()));
    let (request, answer) = (fields(request), fields(answer));
    let mut words = first.split(' ');
    let method = words.next().and_then(|word| word.parse().ok());
    let method = method.unwrap_or(Method::GET);
    let status = words.next().and_then(|word| word.parse().ok());
    let status = status.unwrap_or(StatusCode::OK);
    let seconds: u32 = words.next().map_or(0, |word| word.parse().unwrap_or(0));
    digest(words.next().unwrap_or_default());
    let age = Duration::from_secs(seconds.into());

    assert!(initial_age(&answer, 0, age) >= age);
    read_again(&answer);
    conditions(&method, &request, &answer, seconds as usize);
    variants(&request, &answer);
    for rules in [Rules::default(), generous()] {
        judged(&method, status, &request, &answer, &rules, age);
    }
}

fn generous() -> Rules {
    Rules {
        ttl: Some(SECOND * 60),
        stale_while_revalidate: Some(SECOND * 30),
        stale_if_error: Some(Duration::MAX),
        ignore_authorization: true,
    }
}

fn judged(
    method: &Method,
    status: StatusCode,
    request: &HeaderMap,
    answer: &HeaderMap,
    rules: &Rules,
    age: Duration,
) {
    let directives = Directives::of_request(request);
    let asked = Asked::of(request, &directives);
    let judge = |answer: &HeaderMap| judge(method, status, answer, asked, rules, NOW);
    for word in ["no-store", "private"] {
        let mut forbidden = answer.clone();
        forbidden.append(CACHE_CONTROL, HeaderValue::from_static(word));
        assert!(judge(&forbidden).is_err(), "kept in spite of {word}");
    }
    let Ok(terms) = judge(answer) else { return };
    assert_eq!(method, Method::GET);
    assert!(!matches!(status.as_u16(), 206 | 304 | 100..200 | 500..));
    assert!(!answer.contains_key(SET_COOKIE));
    assert!(!(says(request, "no-store") || says(answer, "no-store") || says(answer, "private")));
    let for_all = ["public", "must-revalidate", "s-maxage"];
    let leave = rules.ignore_authorization || for_all.iter().any(|word| mentions(answer, word));
    assert!(leave || !request.contains_key("authorization"));
    assert!(terms.keep_for <= LONGEST);
    used(&terms, age, &directives);
}

/// What may be done with what is `age` old, for this request and for one that asks for nothing.
fn used(terms: &Terms, age: Duration, request: &Directives) {
    for request in [request, &Directives::default()] {
        for age in [Duration::ZERO, age, Duration::MAX] {
            let allowed = terms.allow(age, request);
            match allowed {
                Use::Fresh => {
                    assert!(age < terms.fresh_for && terms.ttl(age) >= 0);
                    assert_eq!(terms.allow(age / 2, request), Use::Fresh);
                }
                Use::WhileRevalidating | Use::Stale => {
                    assert!(age >= terms.fresh_for && !terms.never_stale);
                    assert!(terms.ttl(age) <= 0);
                }
                Use::Validate => {}
            }
            if terms.no_cache || request.no_cache || request.max_age.is_some_and(|most| age > most)
            {
                assert_eq!(allowed, Use::Validate);
            }
            if allowed == Use::Stale {
                assert!(request.max_stale.is_some());
            }
            let stands_in = terms.allow_on_error(age, request);
            assert!(!(stands_in && terms.never_stale));
        }
    }
}

/// Whether `word` is a directive in a field without quotes, which a plain reader reads as well as any.
fn says(headers: &HeaderMap, word: &str) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let mut plain = values.filter(|value| !value.as_bytes().contains(&b'"'));
    plain.any(|value| {
        let mut members = value.as_bytes().split(|byte| *byte == b',');
        members.any(|member| {
            let name = member.split(|byte| *byte == b'=').next();
            name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        })
    })
}

/// Whether `word` is anywhere in `Cache-Control`.
fn mentions(headers: &HeaderMap, word: &str) -> bool {
    headers.get_all(CACHE_CONTROL).iter().any(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        text.contains(word)
    })
}

/// What was read of `Cache-Control`, written in a form of our own, reads the same.
fn read_again(headers: &HeaderMap) {
    let read = Directives::of_response(headers);
    let flags = [
        ("no-store", read.no_store),
        ("no-cache", read.no_cache),
        ("private", read.private),
        ("public", read.public),
        ("must-revalidate", read.must_revalidate),
        ("proxy-revalidate", read.proxy_revalidate),
        ("only-if-cached", read.only_if_cached),
    ];
    let spans = [
        ("max-age", read.max_age),
        ("s-maxage", read.s_maxage),
        ("max-stale", read.max_stale),
        ("min-fresh", read.min_fresh),
        ("stale-while-revalidate", read.stale_while_revalidate),
        ("stale-if-error", read.stale_if_error),
    ];
    let flags = flags.into_iter().filter(|(_, is_said)| *is_said);
    let mut written: Vec<_> = flags.map(|(name, _)| name.to_owned()).collect();
    for (name, span) in spans {
        match span {
            Some(Duration::MAX) => written.push(name.to_owned()),
            Some(span) => written.push(format!("{name}={}", span.as_secs())),
            None => {}
        }
    }
    let mut again = HeaderMap::new();
    let value = HeaderValue::try_from(written.join(", "));
    again.extend(value.ok().map(|value| (CACHE_CONTROL, value)));
    assert_eq!(Directives::of_response(&again), read, "{written:?}");
    let mut turned = HeaderMap::new();
    let values = headers.get_all(CACHE_CONTROL).iter().rev();
    turned.extend(values.map(|value| (CACHE_CONTROL, value.clone())));
    assert_eq!(Directives::of_response(&turned), read, "in another order");
}

fn conditions(method: &Method, request: &HeaderMap, answer: &HeaderMap, length: usize) {
    if let Ranged::Part(part) = ranged(method, request, answer, length) {
        assert!(part.first <= part.last && part.last < length);
    }
    let mut asked = request.clone();
    validators(&mut asked, Some(answer));
    assert!(!asked.contains_key("range"));
    let quoted = |tag: &HeaderValue| {
        let tag = tag.as_bytes();
        let inner = tag.strip_prefix(b"W/").unwrap_or(tag);
        inner.len() > 1
            && inner.iter().filter(|byte| **byte == b'"').count() == 2
            && inner.starts_with(b"\"")
            && inner.ends_with(b"\"")
    };
    if answer.get(ETAG).is_some_and(quoted) {
        assert_eq!(asked.get(IF_NONE_MATCH), answer.get(ETAG));
        assert!(is_not_modified(&asked, answer), "its own tag is another");
    }
    let mut kept = answer.clone();
    freshen(&mut kept, request);
    assert_eq!(kept.get(CONTENT_LENGTH), answer.get(CONTENT_LENGTH));
    let mut twice = kept.clone();
    freshen(&mut twice, request);
    assert_eq!(kept, twice);
}

fn variants(request: &HeaderMap, answer: &HeaderMap) {
    let target = Digest::parse(&"0".repeat(64));
    let (Some(target), Ok(names)) = (target, vary_names(answer)) else {
        return;
    };
    assert!(names.len() <= MAX_VARY && names.is_sorted_by(|a, b| a.as_str() < b.as_str()));
    let one = variant(&target, &names, request);
    for name in &names {
        let mut other = request.clone();
        other.append(name, HeaderValue::from_static("another"));
        assert_ne!(
            variant(&target, &names, &other),
            one,
            "{name} selects nothing"
        );
    }
    let mut any = answer.clone();
    any.append("vary", HeaderValue::from_static("*"));
    assert_eq!(vary_names(&any), Err(Reason::Vary));
}

fn digest(text: &str) {
    if let Some(digest) = Digest::parse(text) {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    }
}
