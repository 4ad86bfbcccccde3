//! A small analytics service: numbers go in one by one, a summary comes out.
//!
//! Guarantees: keeps the [`KEPT`] newest metrics; a body that makes no sense is answered with the field at fault. Must not: look at
//! a clock: a period ends at the newest metric it is asked about, so that what was sent can always be summed up.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How many metrics are kept.
pub(crate) const KEPT: usize = 10_000;

/// The longest name of a type, in bytes.
const LONGEST_TYPE: usize = 256;

/// What the service answers.
pub(crate) type Answer = (StatusCode, Value);

/// What was stored.
#[derive(Debug, Default)]
pub(crate) struct Analytics {
    metrics: Mutex<VecDeque<Metric>>,
}

#[derive(Debug)]
struct Metric {
    at: Timestamp,
    value: f64,
    kind: String,
}

/// The field of a body or query that makes no sense, and what is expected of it.
struct Fault {
    at: &'static str,
    field: &'static str,
    expected: &'static str,
}

impl Analytics {
    /// `POST /api/metrics`.
    pub(crate) fn store(&self, body: &[u8]) -> Answer {
        match Metric::read(body) {
            Ok(metric) => {
                let mut metrics = self.metrics();
                if metrics.len() == KEPT {
                    metrics.pop_front();
                }
                metrics.push_back(metric);
                let done = json!({"message": "Metric stored successfully"});
                (StatusCode::CREATED, done)
            }
            Err(fault) => fault.answer(),
        }
    }

    /// `GET /api/metrics/summary`.
    pub(crate) fn summary(&self, uri: &Uri) -> Answer {
        let kind = parameter(uri, "type").or_else(|| parameter(uri, "metric_type"));
        let period = parameter(uri, "period").unwrap_or_else(|| "day".to_owned());
        let Some(span) = span(&period) else {
            let fault = Fault {
                at: "query",
                field: "period",
                expected: "must be hour, day, week, month, all, or like 15m, 24h, 7d",
            };
            return fault.answer();
        };
        let metrics = self.metrics();
        let wanted = || {
            metrics
                .iter()
                .filter(|one| kind.as_ref().is_none_or(|kind| *kind == one.kind))
        };
        let newest = wanted().map(|one| one.at).max();
        let since = span
            .zip(newest)
            .and_then(|(span, newest)| newest.checked_sub(span).ok());
        let values = wanted().filter(|one| since.is_none_or(|since| one.at >= since));
        let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), one| {
            (count + 1, sum + one.value)
        });
        let average = if count == 0 {
            0.0
        } else {
            sum / f64::from(count)
        };
        let summary = json!({
            "type": kind.as_deref().unwrap_or("all"),
            "period": period,
            "count": count,
            "average_value": average,
            "average": average,
        });
        (StatusCode::OK, summary)
    }

    fn metrics(&self) -> MutexGuard<'_, VecDeque<Metric>> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /data`: the message, told back.
pub(crate) fn echo_message(body: &[u8]) -> Answer {
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    match sent.get("message") {
        Some(Value::String(message)) => (
            StatusCode::OK,
            json!({"status": "success", "message": message}),
        ),
        _ => Fault::in_body("message", "must be a text").answer(),
    }
}

impl Metric {
    fn read(body: &[u8]) -> Result<Self, Fault> {
        let Ok(Value::Object(sent)) = serde_json::from_slice(body) else {
            return Err(Fault::in_body("body", "must be a JSON object"));
        };
        let at = sent.get("timestamp").and_then(timestamp).ok_or_else(|| {
            Fault::in_body(
                "timestamp",
                "must be an RFC 3339 text or seconds since 1970",
            )
        })?;
        let value = sent.get("value").and_then(Value::as_f64);
        let value = value.ok_or_else(|| Fault::in_body("value", "must be a number"))?;
        let kind = sent.get("type").and_then(Value::as_str);
        let kind = kind
            .filter(|kind| (1..=LONGEST_TYPE).contains(&kind.len()))
            .ok_or_else(|| Fault::in_body("type", "must be a text of 1 to 256 bytes"))?;
        Ok(Self {
            at,
            value,
            kind: kind.to_owned(),
        })
    }
}

/// A moment; a text without an offset is taken for UTC.
fn timestamp(sent: &Value) -> Option<Timestamp> {
    match sent {
        Value::String(text) => text.parse().ok().or_else(|| {
            let local: jiff::civil::DateTime = text.parse().ok()?;
            Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        }),
        Value::Number(_) => {
            let seconds = SignedDuration::try_from_secs_f64(sent.as_f64()?).ok()?;
            Timestamp::UNIX_EPOCH.checked_add(seconds).ok()
        }
        _ => None,
    }
}

/// How far back a period reaches; an inner none: for ever.
fn span(period: &str) -> Option<Option<SignedDuration>> {
    let hours = match period {
        "all" => return Some(None),
        "hour" | "hourly" => 1,
        "day" | "daily" => 24,
        "week" | "weekly" => 7 * 24,
        "month" | "monthly" => 30 * 24,
        other => return counted(other).map(Some),
    };
    Some(Some(SignedDuration::from_hours(hours)))
}

fn counted(period: &str) -> Option<SignedDuration> {
    let unit = period.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = period.strip_suffix(unit)?.parse().ok()?;
    Some(SignedDuration::from_secs(i64::from(count) * seconds))
}

/// The first `name=` of the query, `%XX` and `+` decoded.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let (_, value) = pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, value)| *known == name && !value.is_empty())?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%');
        let decoded = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if decoded.is_some() {
            &after[2..]
        } else {
            after
        };
        bytes.push(decoded.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

impl Fault {
    const fn in_body(field: &'static str, expected: &'static str) -> Self {
        Self {
            at: "body",
            field,
            expected,
        }
    }

    fn answer(self) -> Answer {
        let detail = json!([{"loc": [self.at, self.field], "msg": self.expected}]);
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            json!({"field": self.field, "detail": detail}),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(bodies: &[Value]) -> Analytics {
        let analytics = Analytics::default();
        for body in bodies {
            assert_eq!(
                analytics.store(body.to_string().as_bytes()).0,
                201,
                "{body}"
            );
        }
        analytics
    }

    #[test]
    fn a_summary_counts_what_its_period_holds() {
        let analytics = stored(&[
            json!({"timestamp": "2024-05-01T10:00:00Z", "value": 10, "type": "cpu"}),
            json!({"timestamp": "2024-05-01T11:30:00", "value": 20.5, "type": "cpu"}),
            json!({"timestamp": 1_714_563_000, "value": 5, "type": "disk use"}),
        ]);
        for (query, count, average) in [
            ("type=cpu&period=day", 2, 15.25),
            ("metric_type=cpu&period=hour", 1, 20.5),
            ("type=disk%20use&period=7d", 1, 5.0),
            ("type=disk+use", 1, 5.0),
            ("type=none", 0, 0.0),
            ("period=all", 3, 35.5 / 3.0),
        ] {
            let uri = format!("/api/metrics/summary?{query}").parse().unwrap();
            let (status, summary) = analytics.summary(&uri);
            assert_eq!(status, 200, "{query}");
            assert_eq!(summary["count"], count, "{query}");
            assert_eq!(summary["average"], average, "{query}");
            assert_eq!(summary["average_value"], average, "{query}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let analytics = Analytics::default();
        for (body, field) in [
            ("nothing", "body"),
            (r#"{"value":1,"type":"cpu"}"#, "timestamp"),
            (
                r#"{"timestamp":"soon","value":1,"type":"cpu"}"#,
                "timestamp",
            ),
            (r#"{"timestamp":1,"value":"1","type":"cpu"}"#, "value"),
            (r#"{"timestamp":1,"value":1,"type":""}"#, "type"),
        ] {
            let (status, answer) = analytics.store(body.as_bytes());
            assert_eq!(status, 422, "{body}");
            assert_eq!(answer["field"], field, "{body}");
        }
        let (status, answer) = analytics.summary(&"/?period=often".parse().unwrap());
        assert_eq!((status.as_u16(), &answer["field"]), (422, &json!("period")));
        assert_eq!(echo_message(b"{}").1["field"], "message");
    }

    #[test]
    fn the_oldest_metric_goes_first() {
        let analytics = Analytics::default();
        for second in 0..=KEPT {
            let body = json!({"timestamp": second, "value": 1, "type": "cpu"});
            analytics.store(body.to_string().as_bytes());
        }
        assert_eq!(analytics.metrics().len(), KEPT);
        assert_eq!(
            analytics.metrics().front().map(|one| one.at.as_second()),
            Some(1)
        );
    }
}
