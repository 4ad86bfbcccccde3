//! The console's files, in the binary. Guarantees: a strict policy for what the page may load: itself. Must not: hold data.

use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderName, HeaderValue, StatusCode};

use super::answer::{Answer, plain};

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The file at `path`, if it is the console's.
pub(super) fn file(path: &str) -> Option<Answer> {
    let (kind, body) = match path {
        "/" => (HTML, include_str!("console/index.html")),
        "/console/style.css" => (CSS, include_str!("console/style.css")),
        "/console/main.js" => (SCRIPT, include_str!("console/main.js")),
        "/console/api.js" => (SCRIPT, include_str!("console/api.js")),
        "/console/chart.js" => (SCRIPT, include_str!("console/chart.js")),
        "/console/find.js" => (SCRIPT, include_str!("console/find.js")),
        "/console/tables.js" => (SCRIPT, include_str!("console/tables.js")),
        "/console/dom.js" => (SCRIPT, include_str!("console/dom.js")),
        "/console/views.js" => (SCRIPT, include_str!("console/views.js")),
        "/console/actions.js" => (SCRIPT, include_str!("console/actions.js")),
        "/console/icon.svg" => ("image/svg+xml", include_str!("console/icon.svg")),
        _ => return None,
    };
    let mut answer = plain(StatusCode::OK, kind, body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Some(answer)
}
