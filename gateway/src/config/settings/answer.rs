//! `[answers]`, and `answers` and `respond` of a route: what is said in place of the gateway or of an upstream.

use http::{HeaderName, HeaderValue, StatusCode};

use super::super::path::KeyPath;
use super::super::raw::{Answer, Answers, Health, Value};
use super::route::{self, Known};
use super::{Check, header};
use crate::proxy::settings::{
    AnswerKind, AnswerSettings, AnswersSettings, HealthSettings, Pattern, PatternError,
};

/// A body longer than this belongs to an upstream.
const MAX_BODY: usize = 64 * 1024;

/// Answers where no route has its own.
pub(super) fn top(check: &mut Check<'_>, raw: Answers) -> Option<AnswersSettings> {
    answers(check, &KeyPath::default().key("answers"), raw)
}

/// A route's own answers, which cannot be about there being no route.
pub(super) fn of_route(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<Answers>,
) -> Option<AnswersSettings> {
    let raw = raw.unwrap_or_default();
    let misplaced = [
        ("not_found", raw.not_found.is_some()),
        ("method_not_allowed", raw.method_not_allowed.is_some()),
    ];
    for (key, _) in misplaced.iter().filter(|(_, is_there)| *is_there) {
        let message = format!(
            "a request that no route takes has no route to answer it: write it in `[answers.{key}]`"
        );
        let _: Option<()> = check.problem(&at.key(key), &message);
    }
    answers(check, at, raw)
}

fn answers(check: &mut Check<'_>, at: &KeyPath, raw: Answers) -> Option<AnswersSettings> {
    let written = [
        ("limited", AnswerKind::Limited, raw.limited),
        ("circuit_open", AnswerKind::CircuitOpen, raw.circuit_open),
        ("timeout", AnswerKind::Timeout, raw.timeout),
        ("bad_gateway", AnswerKind::BadGateway, raw.bad_gateway),
        ("unauthorized", AnswerKind::Unauthorized, raw.unauthorized),
        ("forbidden", AnswerKind::Forbidden, raw.forbidden),
        ("not_found", AnswerKind::NotFound, raw.not_found),
        (
            "method_not_allowed",
            AnswerKind::MethodNotAllowed,
            raw.method_not_allowed,
        ),
        ("overloaded", AnswerKind::Overloaded, raw.overloaded),
        ("too_large", AnswerKind::TooLarge, raw.too_large),
        ("bad_request", AnswerKind::BadRequest, raw.bad_request),
    ];
    let written = written
        .into_iter()
        .filter_map(|(key, kind, raw)| Some((key, kind, raw?)));
    let checked: Vec<_> = written
        .map(|(key, kind, raw)| Some((kind, answer(check, &at.key(key), raw)?)))
        .collect();
    checked.into_iter().collect()
}

/// One answer.
pub(super) fn answer(check: &mut Check<'_>, at: &KeyPath, raw: Answer) -> Option<AnswerSettings> {
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
    let written = raw.content_type.as_deref();
    let content_type = content_type(check, at, written.unwrap_or("application/json"));
    let body = body(check, at, raw.body.unwrap_or_default());
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for (name, Value(value)) in raw.headers.unwrap_or_default() {
        let place = at.key("headers").key(&name);
        let name = header::name(check, &place, &name);
        let value = header::value(check, &place, &value);
        headers.push((name?, value?));
    }
    Some(AnswerSettings {
        status: status?,
        content_type: content_type?,
        headers,
        body: body?,
    })
}

fn content_type(check: &mut Check<'_>, at: &KeyPath, text: &str) -> Option<HeaderValue> {
    match HeaderValue::from_str(text) {
        Ok(value) => Some(value),
        Err(_) => check.problem(
            &at.key("content_type"),
            &format!("`{text}` cannot stand in a header"),
        ),
    }
}

fn body(check: &mut Check<'_>, at: &KeyPath, body: String) -> Option<String> {
    if body.len() <= MAX_BODY {
        return Some(body);
    }
    let message = format!("{} bytes are more than the {MAX_BODY} allowed", body.len());
    check.problem(&at.key("body"), &message)
}

/// `server.health`.
pub(super) fn health(
    check: &mut Check<'_>,
    raw: Option<Health>,
    known: &Known,
) -> Option<HealthSettings> {
    let at = KeyPath::default().key("server");
    let raw = check.set(&at, "health", raw)?;
    let at = at.key("health");
    let path = check.set(&at, "path", raw.path);
    let path = path.and_then(|path| match Pattern::new(&path) {
        Ok(pattern) if pattern.names.is_empty() => Some(path),
        Ok(_) | Err(PatternError::Malformed) => {
            let message = format!("`{path}` is not one path: write one like `/health`");
            check.problem(&at.key("path"), &message)
        }
        Err(error) => check.problem(&at.key("path"), &error.to_string()),
    });
    let kind = check.set(&at, "content_type", raw.content_type);
    let content_type = kind.and_then(|kind| content_type(check, &at, &kind));
    let text = check.set(&at, "body", raw.body);
    let body = text.and_then(|text| body(check, &at, text));
    let fail_when_open = check.set(&at, "fail_when_open", raw.fail_when_open);
    let limits = route::limits(check, &at, raw.limits, Some(1), known);
    Some(HealthSettings {
        path: path?,
        content_type: content_type?,
        body: body?,
        fail_when_open: fail_when_open?,
        limits: limits?,
    })
}
