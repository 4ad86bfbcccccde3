//! `[[routes]] answers`: what a route says in place of the gateway.

use http::{HeaderName, HeaderValue, StatusCode};

use super::super::path::KeyPath;
use super::super::raw::{Answer, Answers, Value};
use super::Check;
use crate::proxy::settings::{AnswerSettings, AnswersSettings};

/// A body longer than this belongs to an upstream.
const MAX_BODY: usize = 64 * 1024;

pub(super) fn answers(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<Answers>,
) -> Option<AnswersSettings> {
    let raw = raw.unwrap_or_default();
    let unauthorized = answer(check, &at.key("unauthorized"), raw.unauthorized);
    let forbidden = answer(check, &at.key("forbidden"), raw.forbidden);
    let limited = answer(check, &at.key("limited"), raw.limited);
    let circuit_open = answer(check, &at.key("circuit_open"), raw.circuit_open);
    let timeout = answer(check, &at.key("timeout"), raw.timeout);
    let bad_gateway = answer(check, &at.key("bad_gateway"), raw.bad_gateway);
    Some(AnswersSettings {
        unauthorized: unauthorized?,
        forbidden: forbidden?,
        limited: limited?,
        circuit_open: circuit_open?,
        timeout: timeout?,
        bad_gateway: bad_gateway?,
    })
}

fn answer(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<Answer>,
) -> Option<Option<AnswerSettings>> {
    let Some(raw) = raw else { return Some(None) };
    let status = match raw.status {
        None => Some(None),
        Some(status) => match StatusCode::from_u16(status) {
            Ok(known) if (200..600).contains(&status) => Some(Some(known)),
            _ => check.problem(
                &at.key("status"),
                &format!("`{status}` is not the status of an answer: write 200 to 599"),
            ),
        },
    };
    let content_type = raw.content_type.as_deref().unwrap_or("application/json");
    let content_type = match HeaderValue::from_str(content_type) {
        Ok(value) => Some(value),
        Err(_) => check.problem(
            &at.key("content_type"),
            &format!("`{content_type}` cannot stand in a header"),
        ),
    };
    let body = raw.body.unwrap_or_default();
    if body.len() > MAX_BODY {
        let message = format!("{} bytes are more than the {MAX_BODY} allowed", body.len());
        return check.problem(&at.key("body"), &message);
    }
    let mut headers = Vec::new();
    for (name, Value(value)) in raw.headers.unwrap_or_default() {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            _ => {
                return check.problem(
                    &at.key("headers").key(&name),
                    &format!("`{name}: {value}` is not a header"),
                );
            }
        }
    }
    Some(Some(AnswerSettings {
        status: status?,
        content_type: content_type?,
        headers,
        body,
    }))
}
