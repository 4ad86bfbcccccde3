//! What a path means, and which route it takes.
//!
//! Must hold: a normal form is its own normal form, holds nothing that was to be refused, resolved or merged, and decodes to nothing
//! that it did not decode to before; the table finds a route exactly when a pattern matches.

use std::time::Duration;

use http::Uri;

use super::super::limit::Limits;
use super::super::path::{normal, replaced};
use super::super::record::RouteMetrics;
use super::super::route::{Found, Route, RouteTable, Target};
use super::super::settings::{
    DotSegments, DoubleSlashes, Pattern, RouteSettings, Segment, Strictness, Underscores,
};
use crate::telemetry::metrics::Metrics;

/// Patterns of one table.
const MOST_PATTERNS: usize = 8;

/// The first byte says how strict; then a target, and patterns, each on its line.
pub fn path(data: &[u8]) {
    let Some((flags, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let mut lines = text.split('\n');
    let Ok(uri) = lines.next().unwrap_or_default().parse::<Uri>() else {
        return;
    };
    if !uri.path().starts_with('/') {
        return;
    }
    let patterns: Vec<_> = lines.take(MOST_PATTERNS).collect();
    let mut asked = uri.clone();
    let rules = rules(*flags);
    if let Ok(Some(made)) = normal(uri.path(), &rules) {
        let replaced = replaced(&uri, &made);
        assert!(replaced.is_some(), "{made:?} is no path");
        asked = replaced.unwrap_or(asked);
        assert_eq!(asked.path(), made);
        assert_eq!(asked.query(), uri.query());
    }
    if normal(uri.path(), &rules).is_ok() {
        settled(asked.path(), &rules);
        table(&asked, &patterns);
    }
}

fn rules(flags: u8) -> Strictness {
    Strictness {
        underscores: Underscores::Drop,
        dot_segments: match flags & 3 {
            0 => DotSegments::Forward,
            1 => DotSegments::Resolve,
            _ => DotSegments::Reject,
        },
        double_slashes: match flags >> 2 & 3 {
            0 => DoubleSlashes::Merge,
            1 => DoubleSlashes::Reject,
            _ => DoubleSlashes::Forward,
        },
        refuse_encoded_slashes: flags & 16 != 0,
        max_body_bytes: 0,
        body_timeout: Duration::ZERO,
    }
}

/// What goes upstream: nothing more can be made of it, whoever decodes it once.
fn settled(path: &str, rules: &Strictness) {
    assert_eq!(
        normal(path, rules),
        Ok(None),
        "{path:?} has another form yet"
    );
    if rules.double_slashes != DoubleSlashes::Forward {
        assert!(!path.contains("//"), "{path:?}");
    }
    if rules.refuse_encoded_slashes {
        assert!(!path.to_ascii_lowercase().contains("%2f"), "{path:?}");
    }
    if rules.dot_segments != DotSegments::Forward {
        let plain = path.to_ascii_lowercase().replace("%2e", ".");
        let plain = plain
            .replace("%2f", "/")
            .replace("%5c", "/")
            .replace('\\', "/");
        let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
        assert!(!plain.split('/').any(dots), "{path:?} has a dot segment");
    }
}

fn table(uri: &Uri, patterns: &[&str]) {
    let metrics = Metrics::new();
    let mut known: Vec<Pattern> = Vec::new();
    let mut routes = Vec::new();
    for text in patterns {
        let settings = RouteSettings {
            name: "fuzzed".into(),
            path: (*text).to_owned(),
            ..RouteSettings::default()
        };
        let record = RouteMetrics::new(&metrics, &settings.name);
        let target = Target::Forward { upstream: 0 };
        let route = Route::new(settings, target, Limits::none(), record);
        let pattern = Pattern::new(text);
        assert_eq!(route.is_ok(), pattern.is_ok(), "{text:?}");
        routes.extend(route);
        known.extend(pattern);
    }
    let request = http::Request::builder().uri(uri.clone()).body(());
    let (Ok(request), table) = (request, RouteTable::new(routes)) else {
        return;
    };
    let found = table.find(&request.into_parts().0);
    let expected = known.iter().any(|pattern| matches(pattern, uri.path()));
    assert_eq!(
        matches!(found, Found::Route(_)),
        expected,
        "{uri} in {patterns:?}"
    );
    if let Found::Route(taken) = found {
        let pattern = Pattern::new(&taken.route.settings.path);
        assert!(pattern.is_ok_and(|pattern| matches(&pattern, uri.path())));
    }
}

/// Whether `pattern` matches, tried out piece by piece.
fn matches(pattern: &Pattern, path: &str) -> bool {
    let pieces: Vec<&str> = path.split('/').skip(1).collect();
    let ends = pattern.segments.last() != Some(&Segment::Rest);
    if pieces.len() < pattern.segments.len() || (ends && pieces.len() != pattern.segments.len()) {
        return false;
    }
    pattern
        .segments
        .iter()
        .zip(pieces)
        .all(|(segment, piece)| match segment {
            Segment::Text(text) => **text == *piece,
            Segment::Parameter { before, after } => {
                piece.len() > before.len() + after.len()
                    && piece.starts_with(&**before)
                    && piece.ends_with(&**after)
            }
            Segment::Rest => true,
        })
}
