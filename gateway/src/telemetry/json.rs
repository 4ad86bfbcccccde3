//! One line of JSON, a flat object, appended to bytes. For the access line: a serialiser spends most of its time on what a flat object does
//! not need.
//!
//! Guarantees: what comes out is JSON, whatever texts go in. Must not: be given the same key twice, or allocate.

use std::time::Duration;

/// An object under construction.
#[derive(Debug)]
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
}

/// A key as it stands in the object, its comma included, so that it is one copy of a known length.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(super) use key;

impl<'a> Object<'a> {
    /// Every object begins with when it was.
    pub(super) fn begin(out: &'a mut Vec<u8>, timestamp: &str) -> Self {
        out.extend_from_slice(b"{\"timestamp\":\"");
        out.extend_from_slice(timestamp.as_bytes());
        out.push(b'"');
        Self { out }
    }

    pub(super) fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    #[inline]
    fn key(&mut self, key: &'static str) {
        self.out.extend_from_slice(key.as_bytes());
    }

    /// A text of which it is known that it stands in JSON as it is.
    #[inline]
    pub(super) fn plain(&mut self, key: &'static str, text: &[u8]) {
        debug_assert!(text.is_ascii() && is_plain(text), "{key}{text:?}");
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(text);
        self.out.push(b'"');
    }

    #[inline]
    pub(super) fn text(&mut self, key: &'static str, text: &str) {
        self.key(key);
        if is_plain(text.as_bytes()) {
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        } else {
            let escaped = serde_json::to_writer(&mut *self.out, text);
            debug_assert!(escaped.is_ok(), "writing to memory does not fail");
        }
    }

    /// A text under a key made while running; bytes that are no text are replaced.
    pub(super) fn named(&mut self, prefix: &str, name: &str, value: &[u8]) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(prefix.as_bytes());
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        let escaped = serde_json::to_writer(&mut *self.out, &String::from_utf8_lossy(value));
        debug_assert!(escaped.is_ok(), "writing to memory does not fail");
    }

    #[inline]
    pub(super) fn number(&mut self, key: &'static str, number: impl itoa::Integer) {
        self.key(key);
        let mut digits = itoa::Buffer::new();
        self.out.extend_from_slice(digits.format(number).as_bytes());
    }

    /// A duration in milliseconds, to the microsecond.
    #[inline]
    pub(super) fn millis(&mut self, key: &'static str, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.number(key, micros / 1_000);
        let rest = micros % 1_000;
        let digit = |value: u64| b'0' + (value % 10) as u8;
        let fraction = [b'.', digit(rest / 100), digit(rest / 10), digit(rest)];
        self.out.extend_from_slice(&fraction);
    }
}

/// Whether a text stands in JSON as it is. Without a branch in the loop, so that it is done many bytes at a time.
fn is_plain(text: &[u8]) -> bool {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    !text
        .iter()
        .fold(false, |found, byte| found | special(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>(), number in any::<u64>()) {
            let mut out = Vec::new();
            let mut object = Object::begin(&mut out, "now");
            object.text(key!("a"), &text);
            object.number(key!("c"), number);
            object.millis(key!("d"), Duration::from_micros(number / 1_000_000));
            object.end();
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(&value["a"], &text);
            prop_assert_eq!(&value["c"], number);
            prop_assert!((value["d"].as_f64().unwrap() - (number / 1_000_000) as f64 / 1e3).abs() < 1e-3);
        }
    }
}
