//! Answers that send a client elsewhere.
//!
//! Guarantees: where a redirect stays on this host by its template, no path makes it leave (`//elsewhere`, `/\elsewhere`); the
//! query goes along unless the template has one. Must not: choose whether to redirect.

use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};

use super::body::Body;
use super::settings::RedirectSettings;
use super::template::{Facts, Template};

/// A redirect.
#[derive(Debug)]
pub(super) struct Redirect {
    to: Template,
    status: StatusCode,
    /// Whether it names no host.
    stays: bool,
    takes_query: bool,
}

impl Redirect {
    pub(super) fn new(settings: &RedirectSettings, names: &[Box<str>]) -> Self {
        Self {
            to: Template::redirect(&settings.to, names),
            status: settings.status,
            stays: settings.to.starts_with('/'),
            takes_query: !settings.to.contains('?') && !settings.to.contains("{uri}"),
        }
    }

    /// To the same place, encrypted.
    pub(super) fn to_https(status: StatusCode) -> Self {
        let to = "https://{host}{uri}".to_owned();
        Self::new(&RedirectSettings { to, status }, &[])
    }

    /// Whether it speaks of the path's parameters.
    pub(super) fn has_parameters(&self) -> bool {
        self.to.has_parameters()
    }

    /// The answer; with 404 where the place cannot be named, which takes a request without a host.
    pub(super) fn answer(&self, facts: &Facts<'_>) -> Response<Body> {
        let mut response = Response::new(Body::local(""));
        match HeaderValue::try_from(self.location(facts)) {
            Ok(location) => {
                *response.status_mut() = self.status;
                response.headers_mut().insert(LOCATION, location);
            }
            Err(_) => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        response
    }

    fn location(&self, facts: &Facts<'_>) -> String {
        let mut location = self.to.fill(facts);
        if self.stays {
            let rest = location.trim_start_matches(['/', '\\']).len();
            let _ = location.drain(1..location.len() - rest);
        }
        let query = facts.asked.uri.split_once('?').map(|(_, query)| query);
        if let Some(query) = query.filter(|_| self.takes_query) {
            location.push('?');
            location.push_str(query);
        }
        location
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::Asked;
    use super::*;

    fn location(to: &str, path: &str) -> String {
        let settings = RedirectSettings {
            to: to.to_owned(),
            status: StatusCode::PERMANENT_REDIRECT,
        };
        let facts = Facts {
            request_id: "",
            retry_after: 0,
            route: "",
            client: [192, 0, 2, 1].into(),
            parameters: &[path.into()],
            asked: Asked {
                scheme: "http",
                host: "a.example",
                uri: "/old/x?q=1",
            },
        };
        Redirect::new(&settings, &["path".into()]).location(&facts)
    }

    #[test]
    fn a_path_does_not_choose_the_host() {
        assert_eq!(location("/{path}", "x"), "/x?q=1");
        assert_eq!(location("/{path}", "/evil.example"), "/evil.example?q=1");
        assert_eq!(location("/{path}", "\\evil.example"), "/evil.example?q=1");
        assert_eq!(location("/{path}?fixed", ""), "/?fixed");
        assert_eq!(
            location("https://{host}{uri}", ""),
            "https://a.example/old/x?q=1"
        );
        assert_eq!(
            location("https://b.example/{path}", "/x"),
            "https://b.example//x?q=1"
        );
    }
}
