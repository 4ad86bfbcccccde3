//! What is written of a request, and its trace, under fuzzing. Must not: write anywhere.

use super::access::redacted;
use super::json::{Object, key};
use super::traces::TraceContext;
use super::traces::Tracer;
use super::traces::settings::Settings;

/// A `traceparent`: what is read is told on in the same trace, in the form every participant reads; what is not starts a new one.
pub fn traceparent(data: &[u8]) {
    let tracer = Tracer::new(&Settings::default(), None);
    let trace = tracer.begin(Some(data));
    let read = TraceContext::parse(data);
    assert_eq!(read.is_some(), trace.continues());
    for header in [trace.header().clone(), trace.call().1] {
        let told = TraceContext::parse(&header);
        assert!(told.is_some(), "{header:?} cannot be read");
        assert!(header.starts_with(b"00-") && header.len() == 55);
        if let (Some(told), Some(read)) = (told, read) {
            assert_eq!((told.trace, told.sampled), (read.trace, read.sampled));
            assert_ne!(told.span, read.span);
        }
    }
}

/// The texts of an access line, a field to a line of the input, the first a query: one line of JSON that holds them as they were, and
/// no value of a parameter that is not to be written.
pub fn log_line(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut fields = text.split('\n');
    let query = fields.next().unwrap_or_default();
    let hidden = ["token".to_owned(), "api key".to_owned()];
    let written = redacted(query, &hidden);
    assert!(written.len() <= query.len() + 3 * (1 + query.matches('&').count()));
    assert_eq!(written.split('&').count(), query.split('&').count());
    for (before, after) in query.split('&').zip(written.split('&')) {
        match before.split_once('=') {
            Some((name, _)) if hidden.contains(&meant(name)) => {
                assert_eq!(after, format!("{name}=***"));
            }
            _ => assert_eq!(before, after),
        }
    }
    let rest = fields.next().unwrap_or_default();
    let mut line = Vec::new();
    let mut object = Object::begin(&mut line, b"now");
    object.text(key!("query"), &written);
    object.text(key!("client"), rest);
    object.named("header.", "x", data);
    object.end();
    assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1));
    let object: serde_json::Value = serde_json::from_slice(&line).unwrap_or_default();
    assert_eq!(object["query"], written);
    assert_eq!(object["client"], rest);
    assert_eq!(object["header.x"], text.as_ref());
}

/// A parameter's name as a form's reader means it: `+` is a blank, `%XX` an octet, and letters count alike.
fn meant(name: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let escaped = escaped.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let octet = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        let octet = octet.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        octets.push(octet.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if octet.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&octets).to_ascii_lowercase()
}
