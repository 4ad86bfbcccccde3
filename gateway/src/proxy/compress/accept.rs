//! Which coding a client likes best (RFC 9110, section 12.5.3). Must not: look at an answer.

use http::header::{ACCEPT_ENCODING, HeaderMap};

use crate::proxy::settings::Coding;

/// A quality in thousandths.
type Quality = u16;

/// The best of `offered`, the first of equals; none when the client takes none, or likes the plain content better.
pub(super) fn best(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let mut liked: Option<(Quality, Coding)> = None;
    for coding in offered {
        let quality = quality(headers, coding.name());
        // Of equals the first one stays: it is what the configuration prefers.
        if quality > liked.map_or(0, |(most, _)| most) {
            liked = Some((quality, *coding));
        }
    }
    let (quality, coding) = liked?;
    let plain = named(headers, "identity").unwrap_or(0);
    (quality >= plain).then_some(coding)
}

fn quality(headers: &HeaderMap, name: &str) -> Quality {
    named(headers, name)
        .or_else(|| named(headers, "*"))
        .unwrap_or(0)
}

/// What is said of `name`, if anything. An element that cannot be read says nothing.
fn named(headers: &HeaderMap, name: &str) -> Option<Quality> {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    texts.flat_map(|text| text.split(',')).find_map(|element| {
        let (coding, weight) = element.split_once(';').unwrap_or((element, ""));
        let coding = coding.trim();
        // RFC 9110, section 8.4.1.3.
        let is_it = coding.eq_ignore_ascii_case(name)
            || (name == "gzip" && coding.eq_ignore_ascii_case("x-gzip"));
        if is_it { parse(weight.trim()) } else { None }
    })
}

/// `q=0.5`: at most three digits after the point.
fn parse(weight: &str) -> Option<Quality> {
    if weight.is_empty() {
        return Some(1_000);
    }
    let value = weight
        .strip_prefix("q=")
        .or_else(|| weight.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: Quality = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_best_liked_coding_is_taken() {
        let offered = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
        for (accept, name) in [
            ("gzip, br, zstd", Some("zstd")),
            ("gzip;q=1, br;q=0.9, zstd;q=0.1", Some("gzip")),
            ("gzip;q=0.5, br;q=0.5", Some("br")),
            ("GZIP", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("*", Some("zstd")),
            ("zstd;q=0, *", Some("br")),
            ("*;q=0", None),
            ("identity", None),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=0.5, identity;q=0.4", Some("gzip")),
            ("gzip;q=0", None),
            ("gzip;q=2, br;q=x", None),
            ("gzip;q=0.1234", None),
            ("gzip ; q=0.123", Some("gzip")),
            ("deflate", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            let best = best(&headers, &offered).map(Coding::name);
            assert_eq!(best, name, "{accept}");
        }
        assert_eq!(best(&HeaderMap::new(), &offered), None);
    }
}
