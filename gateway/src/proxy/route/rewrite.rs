//! The path sent upstream, made of the pattern's parameters. Must not: touch the query.

use std::fmt::Write as _;

use http::Uri;
use http::uri::PathAndQuery;

/// A path template taken apart once.
#[derive(Debug)]
pub(super) struct Rewrite(Vec<Part>);

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Parameter(String),
}

impl Rewrite {
    /// `{name}` stands for a parameter, `{{` and `}}` for braces.
    pub(super) fn new(template: &str) -> Self {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            match after.strip_prefix(brace) {
                Some(after) => {
                    text.push_str(brace);
                    rest = after;
                }
                None => {
                    let (name, after) = after.split_once('}').unwrap_or((after, ""));
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(Part::Parameter(name.to_owned()));
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        parts.retain(|part| *part != Part::Text(String::new()));
        Self(parts)
    }

    /// The path for upstream with the query untouched; nothing when the result would be no path.
    pub(super) fn apply(
        &self,
        parameters: &matchit::Params<'_, '_>,
        uri: &Uri,
    ) -> Option<PathAndQuery> {
        let mut path =
            String::with_capacity(uri.path().len() + uri.query().map_or(0, str::len) + 2);
        for part in &self.0 {
            path.push_str(match part {
                Part::Text(text) => text,
                Part::Parameter(name) => parameters.get(name).unwrap_or_default(),
            });
        }
        if let Some(query) = uri.query() {
            let _ = write!(path, "?{query}");
        }
        PathAndQuery::from_maybe_shared(bytes::Bytes::from(path)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_may_hold_braces() {
        let rewrite = Rewrite::new("/{{{id}}}/{id}");
        let text = |text: &str| Part::Text(text.to_owned());
        let id = || Part::Parameter("id".to_owned());
        assert_eq!(rewrite.0, [text("/{"), id(), text("}/"), id()]);
    }
}
