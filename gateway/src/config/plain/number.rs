//! The numbers that plain variables hold; their unit is in the variable's name.

use serde_json::Value;

use crate::policy::units::{Micros, parse_span};

/// A whole number.
pub(super) fn whole(text: &str) -> Result<Value, String> {
    text.parse::<u64>()
        .map(Value::from)
        .map_err(|_| format!("`{text}` is not a whole number"))
}

/// A number, fractions allowed.
pub(super) fn decimal(text: &str) -> Result<Value, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number.into()),
        _ => Err(format!("`{text}` is not a number")),
    }
}

/// A number of seconds, as a duration.
pub(super) fn seconds(text: &str) -> Result<Value, String> {
    span(text, "s")
        .map_err(|()| format!("`{text}` is not a number of seconds: write one like `30` or `0.5`"))
}

/// A number of milliseconds, as a duration.
pub(super) fn milliseconds(text: &str) -> Result<Value, String> {
    span(text, "ms")
        .map_err(|()| format!("`{text}` is not a number of milliseconds: write one like `250`"))
}

fn span(text: &str, unit: &str) -> Result<Value, ()> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match parse_span(&format!("{text}{unit}")) {
        Ok(span) if plain => Ok(span.to_string().into()),
        _ => Err(()),
    }
}

/// A refill of `text` tokens each `per`. Half a token a minute is one token in two, so that tokens stay whole.
pub(super) fn refill(text: &str, per: &str) -> Result<Value, String> {
    let bad = || format!("`{text}` is not a number of tokens: write one like `10` or `0.5`");
    if text.parse::<u64>().is_ok() {
        return Ok(format!("{text}/{per}").into());
    }
    let (integer, fraction) = text.split_once('.').ok_or_else(bad)?;
    let tokens: u64 = format!("{integer}{fraction}").parse().map_err(|_| bad())?;
    let numbered = if per.starts_with(|first: char| first.is_ascii_digit()) {
        parse_span(per)
    } else {
        parse_span(&format!("1{per}"))
    };
    let scale = u32::try_from(fraction.len())
        .ok()
        .and_then(|digits| 10_u64.checked_pow(digits));
    let micros = numbered
        .ok()
        .zip(scale)
        .and_then(|(per, scale)| per.get().checked_mul(scale));
    let per = micros.map(Micros::new).ok_or_else(bad)?;
    Ok(format!("{tokens}/{per}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_seconds_and_tokens_are_exact() {
        assert_eq!(seconds("2.5"), Ok("2500ms".into()));
        assert_eq!(seconds("30"), Ok("30s".into()));
        assert_eq!(refill("0.5", "60s"), Ok("5/10m".into()));
        assert_eq!(refill("10", "m"), Ok("10/m".into()));
        for bad in ["", "-1", "ten", "1e3", "5s"] {
            assert!(seconds(bad).is_err(), "{bad}");
            assert!(refill(bad, "1s").is_err(), "{bad}");
        }
    }
}
