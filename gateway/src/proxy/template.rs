//! Texts with holes: bodies, header values, redirects.
//!
//! Guarantees: a template is taken apart once. Braces around anything that is no placeholder are themselves, because most
//! bodies are JSON. Must not: escape; what fills a hole is of characters that need it nowhere: an id, a number, a name, an
//! address, a part of a request target.

use std::fmt::Write as _;
use std::net::IpAddr;

/// A text with holes.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(Box<str>),
    Fact(Fact),
    Parameter(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fact {
    RequestId,
    RetryAfter,
    Route,
    ClientIp,
    Scheme,
    Host,
    Uri,
}

/// What every template may speak of, and then what only a redirect may.
static FACTS: [(&str, Fact); 7] = [
    ("request_id", Fact::RequestId),
    ("retry_after", Fact::RetryAfter),
    ("route", Fact::Route),
    ("client_ip", Fact::ClientIp),
    ("scheme", Fact::Scheme),
    ("host", Fact::Host),
    ("uri", Fact::Uri),
];
/// How many of them are for every template.
const COMMON: usize = 4;

/// What a template may speak of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) request_id: &'a str,
    pub(super) retry_after: u64,
    pub(super) route: &'a str,
    pub(super) client: IpAddr,
    /// The values of the path's parameters.
    pub(super) parameters: &'a [Box<str>],
    /// What was asked for, which only redirects speak of.
    pub(super) asked: Asked<'a>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    /// `http` or `https`.
    pub(super) scheme: &'a str,
    /// The host, without its port.
    pub(super) host: &'a str,
    /// Path and query.
    pub(super) uri: &'a str,
}

impl Template {
    /// A template in which the path's parameters have `names`, which win over other placeholders.
    pub(super) fn new(text: &str, names: &[Box<str>]) -> Self {
        Self::with(text, names, &FACTS[..COMMON])
    }

    /// The template of a redirect, which also speaks of what was asked for.
    pub(super) fn redirect(text: &str, names: &[Box<str>]) -> Self {
        Self::with(text, names, &FACTS)
    }

    fn with(text: &str, names: &[Box<str>], facts: &[(&str, Fact)]) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, braced) = rest.split_at(at);
            plain.push_str(before);
            let inner = braced[1..].split_once('}');
            let Some((part, after)) =
                inner.and_then(|(name, after)| Some((part(name, names, facts)?, after)))
            else {
                plain.push('{');
                rest = &braced[1..];
                continue;
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain).into()));
            }
            parts.push(part);
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        Self(parts)
    }

    /// The text, if it has no holes.
    pub(super) fn constant(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it speaks of the path's parameters.
    pub(super) fn has_parameters(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Parameter(_)))
    }

    /// The text with its holes filled.
    pub(super) fn fill(&self, facts: &Facts<'_>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Parameter(place) => {
                    text.push_str(facts.parameters.get(*place).map_or("", |one| one));
                }
                Part::Fact(Fact::RequestId) => text.push_str(facts.request_id),
                Part::Fact(Fact::Route) => text.push_str(facts.route),
                Part::Fact(Fact::Scheme) => text.push_str(facts.asked.scheme),
                Part::Fact(Fact::Host) => text.push_str(facts.asked.host),
                Part::Fact(Fact::Uri) => text.push_str(facts.asked.uri),
                Part::Fact(Fact::RetryAfter) => {
                    let _ = write!(text, "{}", facts.retry_after);
                }
                Part::Fact(Fact::ClientIp) => {
                    let _ = write!(text, "{}", facts.client);
                }
            }
        }
        text
    }
}

fn part(name: &str, names: &[Box<str>], facts: &[(&str, Fact)]) -> Option<Part> {
    if let Some(place) = names.iter().position(|known| **known == *name) {
        return Some(Part::Parameter(place));
    }
    let fact = facts.iter().find(|(known, _)| *known == name);
    fact.map(|(_, fact)| Part::Fact(*fact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_and_its_json_left_alone() {
        let names = ["id".into()];
        let text =
            r#"{"a":{"id":"{request_id}"},"wait":{retry_after},"r":"{route}","u":"{id}","{x}":{}"#;
        let template = Template::new(text, &names);
        let facts = Facts {
            request_id: "x1",
            retry_after: 7,
            route: "proxy",
            client: [192, 0, 2, 1].into(),
            parameters: &["42".into()],
            asked: Asked {
                scheme: "http",
                host: "h",
                uri: "/u",
            },
        };
        assert_eq!(
            template.fill(&facts),
            r#"{"a":{"id":"x1"},"wait":7,"r":"proxy","u":"42","{x}":{}"#
        );
        assert!(template.has_parameters());
        let all = Template::redirect("{client_ip} {scheme}://{host}{uri}", &[]);
        assert_eq!(all.fill(&facts), "192.0.2.1 http://h/u");
        assert_eq!(Template::new("{host}", &[]).constant(), Some("{host}"));
        assert_eq!(Template::new("{plain", &[]).constant(), Some("{plain"));
    }
}
