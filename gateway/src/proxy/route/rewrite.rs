//! The path sent upstream: without a prefix, or made of the pattern's parameters. Must not: touch the query.

use http::Uri;
use http::uri::PathAndQuery;

/// How the path changes.
#[derive(Debug)]
pub(super) enum Rewrite {
    /// So many bytes of it are left out at its start.
    Strip(usize),
    /// It is made anew.
    Made(Vec<Part>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Part {
    Text(String),
    Parameter(usize),
}

impl Rewrite {
    /// `{name}` stands for a parameter, one of `names`; `{{` and `}}` for braces.
    pub(super) fn new(template: &str, names: &[Box<str>]) -> Self {
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
                    let place = names.iter().position(|known| **known == *name);
                    parts.extend(place.map(Part::Parameter));
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        parts.retain(|part| *part != Part::Text(String::new()));
        Self::Made(parts)
    }

    /// The path for upstream with the query untouched; nothing when the result would be no path.
    pub(super) fn apply(&self, values: &[&str], uri: &Uri) -> Option<PathAndQuery> {
        // Exactly as long as it will be, so that it becomes a shared text where it lies.
        let mut path = String::with_capacity(self.length(values, uri));
        match self {
            Self::Strip(length) => {
                let rest = uri.path().get(*length..).unwrap_or_default();
                if !rest.starts_with('/') {
                    path.push('/');
                }
                path.push_str(rest);
            }
            Self::Made(parts) => parts
                .iter()
                .for_each(|part| path.push_str(part.text(values))),
        }
        if let Some(query) = uri.query() {
            path.push('?');
            path.push_str(query);
        }
        PathAndQuery::from_maybe_shared(bytes::Bytes::from(path)).ok()
    }
}

impl Rewrite {
    fn length(&self, values: &[&str], uri: &Uri) -> usize {
        let path = match self {
            Self::Strip(length) => {
                let rest = uri.path().get(*length..).unwrap_or_default();
                rest.len() + usize::from(!rest.starts_with('/'))
            }
            Self::Made(parts) => parts.iter().map(|part| part.text(values).len()).sum(),
        };
        path + uri.query().map_or(0, |query| query.len() + 1)
    }
}

impl Part {
    fn text<'a>(&'a self, values: &[&'a str]) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Parameter(place) => values.get(*place).copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_may_hold_braces() {
        let rewrite = Rewrite::new("/{{{id}}}/{id}", &["id".into()]);
        let text = |text: &str| Part::Text(text.to_owned());
        let id = || Part::Parameter(0);
        let Rewrite::Made(parts) = rewrite else {
            panic!("{rewrite:?}")
        };
        assert_eq!(parts, [text("/{"), id(), text("}/"), id()]);
    }

    #[test]
    fn what_is_left_after_a_prefix_is_a_path() {
        let strip = |uri: &str| {
            let path = Rewrite::Strip(4).apply(&[], &uri.parse().unwrap());
            path.unwrap().to_string()
        };
        assert_eq!(strip("/api/x?q=%2F"), "/x?q=%2F");
        assert_eq!(strip("/api"), "/");
        assert_eq!(strip("/api?q"), "/?q");
    }
}
