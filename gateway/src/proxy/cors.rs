//! What scripts of other origins may do: the server's half of CORS (Fetch Standard, section 3.3).
//!
//! Guarantees: a route that is configured decides alone: what its upstream says of it is taken off. An answer that depends on the
//! origin says so in `Vary`. Must not: refuse a request: that is what browsers do, and what credentials are for.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, ORIGIN, VARY,
};
use http::request::Parts as Head;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};

use super::body::Body;
use super::settings::{CorsHeaders, CorsOrigin, CorsOrigins, CorsSettings};

/// What an upstream might say of it.
static OURS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// What the access log calls an answered preflight.
pub(super) const PREFLIGHT: &str = "preflight";

/// The sharing of one route.
#[derive(Debug)]
pub(super) struct Cors {
    origins: CorsOrigins,
    credentials: bool,
    methods: HeaderValue,
    /// None: whatever is asked for.
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    max_age: HeaderValue,
}

/// The method a preflight asks for, if `head` is one.
pub(super) fn preflight(head: &Head) -> Option<Method> {
    if head.method != Method::OPTIONS || !head.headers.contains_key(ORIGIN) {
        return None;
    }
    let wanted = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(wanted.as_bytes()).ok()
}

/// Whether a preflight announces that the request will have this field.
pub(super) fn announces(headers: &HeaderMap, name: &HeaderName) -> bool {
    let lines = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|one| {
            one.trim_ascii()
                .eq_ignore_ascii_case(name.as_str().as_bytes())
        })
}

impl Cors {
    pub(super) fn new(settings: &CorsSettings) -> Self {
        let names = |names: &[HeaderName]| {
            let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
            let value = HeaderValue::from_str(&names.join(", "));
            value.ok().filter(|value| !value.is_empty())
        };
        let methods: Vec<_> = settings.methods.iter().map(Method::as_str).collect();
        Self {
            origins: settings.origins.clone(),
            credentials: settings.credentials,
            methods: HeaderValue::from_str(&methods.join(", "))
                .unwrap_or(HeaderValue::from_static("")),
            headers: match &settings.headers {
                CorsHeaders::Any => None,
                CorsHeaders::These(these) => {
                    Some(names(these).unwrap_or(HeaderValue::from_static("")))
                }
            },
            expose: names(&settings.expose),
            max_age: settings.max_age.as_secs().into(),
        }
    }

    /// The origin a request comes from, if it may.
    pub(super) fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let CorsOrigins::These(these) = &self.origins else {
            return None;
        };
        let origin = headers.get(ORIGIN)?;
        let text = origin.to_str().ok()?;
        these.iter().any(|one| one.is(text)).then(|| origin.clone())
    }

    /// The answer to a preflight; what it has in common with others, [`Cors::apply`] adds.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::local(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(
            VARY,
            HeaderValue::from_static(
                "access-control-request-method, access-control-request-headers",
            ),
        );
        if self.origins != CorsOrigins::Any && self.origin(headers).is_none() {
            return response;
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        answer.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        let allowed = self.headers.as_ref().or(asked);
        if let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty()) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
        }
        response
    }

    /// Puts on an answer what its route says, `origin` being the one that may; a preflight's own fields stay.
    pub(super) fn apply(
        &self,
        origin: Option<&HeaderValue>,
        is_preflight: bool,
        headers: &mut HeaderMap,
    ) {
        let from_upstream = if is_preflight { &OURS[..3] } else { &OURS[..] };
        for name in from_upstream {
            headers.remove(name);
        }
        if self.origins == CorsOrigins::Any {
            let any = HeaderValue::from_static("*");
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
        } else {
            vary(headers, "origin");
            let Some(origin) = origin else {
                return;
            };
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(expose) = self.expose.as_ref().filter(|_| !is_preflight) {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }
}

impl CorsOrigin {
    fn is(&self, origin: &str) -> bool {
        match self {
            Self::Exact(known) => **known == *origin,
            Self::Below { scheme, domain } => origin
                .strip_prefix(&**scheme)
                .and_then(|rest| rest.strip_suffix(&**domain))
                .is_some_and(|below| !below.is_empty() && !below.contains(['/', ':'])),
        }
    }
}

/// Says that an answer depends on `field`, unless it says so already.
pub(super) fn vary(headers: &mut HeaderMap, field: &'static str) {
    let lines = headers.get_all(VARY).iter();
    let said = lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|one| one == b"*" || one.eq_ignore_ascii_case(field.as_bytes()));
    if !said {
        headers.append(VARY, HeaderValue::from_static(field));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_below_a_domain_is_a_host_below_it() {
        let below = CorsOrigin::Below {
            scheme: "https://".into(),
            domain: ".example.com".into(),
        };
        for (origin, fits) in [
            ("https://a.example.com", true),
            ("https://a.b.example.com", true),
            ("https://example.com", false),
            ("https://.example.com", false),
            ("http://a.example.com", false),
            ("https://a.example.com:8443", false),
            ("https://evil.com/.example.com", false),
            ("https://evil.com:1.example.com", false),
            ("https://aexample.com", false),
        ] {
            assert_eq!(below.is(origin), fits, "{origin}");
        }
    }

    #[test]
    fn vary_says_a_thing_once() {
        let mut headers = HeaderMap::new();
        vary(&mut headers, "origin");
        vary(&mut headers, "origin");
        assert_eq!(headers.get_all(VARY).iter().count(), 1);
        headers.insert(VARY, HeaderValue::from_static("Accept, ORIGIN"));
        vary(&mut headers, "origin");
        assert_eq!(headers.get_all(VARY).iter().count(), 1);
        headers.insert(VARY, HeaderValue::from_static("*"));
        vary(&mut headers, "origin");
        assert_eq!(headers[VARY], "*");
    }
}
