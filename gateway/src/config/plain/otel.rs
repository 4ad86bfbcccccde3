//! OpenTelemetry's own variables (Specification 1.50, "OpenTelemetry Environment Variable Specification" and "OTLP Exporter Configuration").
//!
//! Guarantees: those for traces alone win over those for all signals; a general endpoint gets `/v1/traces` for HTTP, one for traces is used
//! as it is. Must not: read a variable of another signal.

use serde_json::{Map, Value};

use super::super::path::KeyPath;
use super::Plain;
use super::number;

const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE: &str = "service.name";

/// Lays the variables over the tree.
pub(super) fn overlay(plain: &mut Plain<'_>) {
    let traces = KeyPath::default().key("traces");
    let text = |text: &str| Ok(Value::from(text));
    // Among the attributes, a service's name stands back behind the variable of its own, which comes later.
    let attributes = plain.get(ATTRIBUTES).and_then(|text| pairs(text).ok());
    if let Some(service) = attributes.and_then(|all| all.get(SERVICE).cloned()) {
        plain.put(ATTRIBUTES, &traces.key("service"), |_| Ok(service));
    }
    for (name, key) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "protocol"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "protocol"),
        ("OTEL_TRACES_SAMPLER", "sampler"),
        ("OTEL_SERVICE_NAME", "service"),
    ] {
        plain.put(name, &traces.key(key), text);
    }
    plain.put(
        "OTEL_TRACES_SAMPLER_ARG",
        &traces.key("ratio"),
        number::decimal,
    );
    plain.put(
        "OTEL_BSP_MAX_QUEUE_SIZE",
        &traces.key("queue"),
        number::whole,
    );
    for (name, key) in [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "timeout"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "timeout"),
        ("OTEL_BSP_SCHEDULE_DELAY", "delay"),
    ] {
        plain.put(name, &traces.key(key), number::milliseconds);
    }
    for (name, key) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "headers"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "headers"),
    ] {
        let read = |text: &str| pairs(text).map(Value::Object);
        plain.put(name, &traces.key(key), read);
    }
    plain.put(ATTRIBUTES, &traces.key("attributes"), |text| {
        let mut attributes = pairs(text)?;
        attributes.remove(SERVICE);
        Ok(Value::Object(attributes))
    });
    endpoint(plain, &traces);
}

fn endpoint(plain: &mut Plain<'_>, traces: &KeyPath) {
    let by_grpc = plain.tree.text(&traces.key("protocol")) == Some("grpc");
    let path = traces.key("endpoint");
    let is_off = |plain: &Plain<'_>, name, off| {
        plain
            .get(name)
            .is_some_and(|text: &str| text.eq_ignore_ascii_case(off))
    };
    if is_off(plain, "OTEL_SDK_DISABLED", "true") || is_off(plain, "OTEL_TRACES_EXPORTER", "none") {
        return;
    }
    plain.put("OTEL_EXPORTER_OTLP_ENDPOINT", &path, |text| {
        let base = text.trim_end_matches('/');
        Ok(if by_grpc {
            text.into()
        } else {
            format!("{base}/v1/traces").into()
        })
    });
    plain.put("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &path, |text| {
        Ok(text.into())
    });
}

/// `name=value,name=value`, values percent-encoded.
fn pairs(text: &str) -> Result<Map<String, Value>, String> {
    let mut pairs = Map::new();
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        // The whole text is not shown: it may hold a password.
        let (name, value) = pair
            .split_once('=')
            .ok_or("this is not a list like `name=value,name=value`")?;
        pairs.insert(name.trim().to_owned(), decoded(value.trim()).into());
    }
    Ok(pairs)
}

fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if byte.is_some() { &after[2..] } else { after };
        bytes.push(byte.unwrap_or(*first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let read = pairs("authorization=Basic%20YTpi, x=1").unwrap();
        assert_eq!(read["authorization"], "Basic YTpi");
        assert_eq!(read["x"], "1");
        assert!(pairs("nothing").is_err());
    }
}
