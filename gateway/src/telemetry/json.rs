//! One line of JSON, a flat object, appended to bytes. For the access line: a serialiser spends most of its time on what a flat object does
//! not need.
//!
//! Guarantees: what comes out is JSON, whatever texts go in, but for those said to be plain. Must not: be given the same key twice, or allocate.

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
    #[inline]
    pub(super) fn begin(out: &'a mut Vec<u8>, timestamp: &[u8]) -> Self {
        out.extend_from_slice(b"{\"timestamp\":\"");
        out.extend_from_slice(timestamp);
        out.push(b'"');
        Self { out }
    }

    /// Keys and values that are always the same, as they stand in the object, their first comma included.
    #[inline]
    pub(super) fn constant(&mut self, members: &'static str) {
        self.out.extend_from_slice(members.as_bytes());
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

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Whether a text stands in JSON as it is. Eight bytes at a time: texts of a line are too short for wider steps.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut odd = 0;
    for word in words {
        odd |= escaped_in(u64::from_ne_bytes(*word));
    }
    if !rest.is_empty() {
        let last = rest
            .iter()
            .fold(ONES * 0x20, |word, byte| word << 8 | u64::from(*byte));
        odd |= escaped_in(last);
    }
    odd == 0
}

/// Not zero where one of eight bytes is below a space, a quotation mark or a backslash.
#[inline]
const fn escaped_in(word: u64) -> u64 {
    const fn zero_in(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero_in(word ^ (ONES * b'"' as u64));
    let backslash = zero_in(word ^ (ONES * b'\\' as u64));
    (below_space | quote | backslash) & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>(), number in any::<u64>()) {
            let mut out = Vec::new();
            let mut object = Object::begin(&mut out, b"now");
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

    #[test]
    fn what_needs_escaping_is_found_wherever_it_stands() {
        for odd in ['"', '\\', '\0', '\n', '\u{1f}'] {
            for length in 1..20 {
                for place in 0..length {
                    let mut text = vec![b'x'; length];
                    text[place] = odd as u8;
                    assert!(!is_plain(&text), "{text:?}");
                }
            }
        }
        for plain in ["", "!", " ~\u{7f}", "é 漢字 and more of it", "[]^#@Z"] {
            assert!(is_plain(plain.as_bytes()), "{plain}");
        }
    }
}
