//! What the gateway says itself.
//!
//! Must hold: a problem document is JSON and says what it was given, whatever the request; a template says its own text and the facts
//! and grows by nothing else; a redirect that stays on its host stays.

use http::{HeaderValue, StatusCode};

use super::super::headers;
use super::super::redirect::Redirect;
use super::super::refusal::Refusal;
use super::super::sanity::Fault;
use super::super::settings::RedirectSettings;
use super::super::template::{Asked, Facts, Template};
use super::fields;
use crate::policy::units::Micros;
use crate::telemetry::traces::Tracer;
use crate::telemetry::traces::settings::Settings;

/// A template on the first line, a parameter's value on the second, fields of a request on the rest.
pub fn answers(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let template = lines.next().unwrap_or_default();
    let value = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let fields = fields(lines.next().unwrap_or_default());
    let trace = Tracer::new(&Settings::default(), None).begin(None);
    let id = headers::request_id(&fields, &trace);
    problem(&id, data.len() as u64);
    let template = String::from_utf8_lossy(template);
    filled(&template, &value, id.to_str().unwrap_or_default());
    redirect(&value);
}

fn problem(id: &HeaderValue, seed: u64) {
    let retry_after = Micros::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (seed % 64));
    let policies = vec!["per-client".into(), "a.b_c".into()];
    let hop = headers::Hop::new("edge");
    for refusal in [
        Refusal::NoRoute,
        Refusal::MethodNotAllowed(HeaderValue::from_static("GET")),
        Refusal::Faulty(Fault::SlowHead),
        Refusal::Limited {
            policies,
            retry_after,
        },
        Refusal::CircuitOpen { retry_after },
    ] {
        let response = refusal.response(id, &hop);
        let status = response.status();
        let body = response.into_body();
        let bytes = body
            .local_bytes()
            .map(|bytes| &bytes[..])
            .unwrap_or_default();
        assert!(bytes.len() < 1_024, "{} bytes", bytes.len());
        let document: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        assert_eq!(document["status"], status.as_u16());
        assert_eq!(
            document["request_id"].as_str().map(str::as_bytes),
            Some(id.as_bytes())
        );
    }
}

fn filled(text: &str, value: &str, id: &str) {
    let parameters = [value.into()];
    let facts = Facts {
        request_id: id,
        retry_after: u64::MAX,
        route: "route",
        client: [0xff; 16].into(),
        parameters: &parameters,
        asked: Asked {
            scheme: "http",
            host: "host",
            uri: value,
        },
    };
    let names = ["id".into()];
    for template in [
        Template::new(text, &names),
        Template::redirect(text, &names),
    ] {
        let filled = template.fill(&facts);
        let longest = value.len().max(id.len()).max(40);
        assert!(filled.len() <= text.len() + text.matches('{').count() * longest);
        match template.constant() {
            Some(constant) => assert!(constant == text && filled == text),
            None => assert!(text.contains('{')),
        }
        let outside = text.split('{').next().unwrap_or_default();
        assert!(filled.starts_with(outside));
    }
}

/// However a path begins, it does not choose the host.
fn redirect(value: &str) {
    let settings = RedirectSettings {
        to: "/{id}".to_owned(),
        status: StatusCode::FOUND,
    };
    let parameters = [value.into()];
    let facts = Facts {
        request_id: "",
        retry_after: 0,
        route: "",
        client: [0; 4].into(),
        parameters: &parameters,
        asked: Asked::default(),
    };
    let response = Redirect::new(&settings, &["id".into()]).answer(&facts);
    if let Some(location) = response.headers().get("location") {
        let bytes = location.as_bytes();
        assert!(bytes.starts_with(b"/") && !matches!(bytes.get(1), Some(b'/' | b'\\')));
    }
}
