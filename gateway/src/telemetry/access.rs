//! The access log: one line for each request, formatted on the worker into a buffer of its own and handed over in chunks.
//!
//! Guarantees: no lock and, but for the chunk, no allocation per line; a line waits at most until the worker's next tick.
//! Must not: hold a query string or a header's value other than the request id.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::logs::{Writer, timestamp};
use super::settings::LogFormat;

/// Bytes after which a worker hands its lines over without waiting for the tick.
const CHUNK: usize = 8 * 1024;

/// What one request left behind.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    /// The id the request carried or was given.
    pub request_id: &'a str,
    /// Whom it was counted for.
    pub client: &'a dyn_display::Text<'a>,
    /// The method, as sent.
    pub method: &'a str,
    /// The route's name, or `-`.
    pub route: &'a str,
    /// The path, without its query.
    pub path: &'a str,
    /// The status answered.
    pub status: u16,
    /// Milliseconds from the head to the last byte.
    pub duration_ms: f64,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// The upstream's name, when the request was sent to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<&'a str>,
    /// Milliseconds to the upstream's response head, all attempts together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_duration_ms: Option<f64>,
    /// Attempts made.
    pub attempts: u32,
    /// `forwarded`, or why the gateway answered itself.
    pub decision: &'a str,
}

/// Displays as a JSON string without an intermediate `String`.
pub mod dyn_display {
    use std::fmt;

    use serde::{Serialize, Serializer};

    /// Anything that displays.
    pub struct Text<'a>(pub &'a dyn fmt::Display);

    impl fmt::Debug for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Serialize for Text<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self.0)
        }
    }
}

/// A duration in milliseconds, to the microsecond.
#[must_use]
pub fn millis(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e3
}

/// A worker's end of the access log.
#[derive(Debug)]
pub struct AccessLog {
    writer: Writer,
    format: LogFormat,
    buffer: RefCell<Vec<u8>>,
}

impl AccessLog {
    /// An access log that writes to `writer`.
    #[must_use]
    pub fn new(writer: Writer, format: LogFormat) -> Self {
        Self {
            writer,
            format,
            buffer: RefCell::new(Vec::with_capacity(CHUNK + 1024)),
        }
    }

    /// Appends one line.
    pub fn record(&self, entry: &Entry<'_>) {
        let mut buffer = self.buffer.borrow_mut();
        let level = if entry.status >= 500 { "WARN" } else { "INFO" };
        let written = match self.format {
            LogFormat::Json => json(&mut buffer, level, entry),
            LogFormat::Text => text(&mut buffer, level, entry),
        };
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        if buffer.len() >= CHUNK {
            self.writer.send(std::mem::replace(
                &mut *buffer,
                Vec::with_capacity(CHUNK + 1024),
            ));
        }
    }

    /// Hands over what is buffered; called by the worker's tick.
    pub fn flush(&self) {
        let mut buffer = self.buffer.borrow_mut();
        if !buffer.is_empty() {
            self.writer.send(std::mem::replace(
                &mut *buffer,
                Vec::with_capacity(CHUNK + 1024),
            ));
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: dyn_display::Text<'a>,
    level: &'a str,
    event: &'a str,
    #[serde(flatten)]
    entry: &'a Entry<'a>,
}

fn json(buffer: &mut Vec<u8>, level: &str, entry: &Entry<'_>) -> std::io::Result<()> {
    let now = timestamp();
    let line = Line {
        timestamp: dyn_display::Text(&now),
        level,
        event: "request",
        entry,
    };
    serde_json::to_writer(&mut *buffer, &line)?;
    buffer.push(b'\n');
    Ok(())
}

fn text(buffer: &mut Vec<u8>, level: &str, entry: &Entry<'_>) -> std::io::Result<()> {
    writeln!(
        buffer,
        "{} {level:>5} request {} {} -> {} {:.1}ms {}B client={} route={} decision={} id={}",
        timestamp(),
        entry.method,
        entry.path.escape_debug(),
        entry.status,
        entry.duration_ms,
        entry.bytes,
        entry.client.0,
        entry.route,
        entry.decision,
        entry.request_id,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object() {
        let client = "192.0.2.1";
        let entry = Entry {
            request_id: "abc",
            client: &dyn_display::Text(&client),
            method: "GET",
            route: "proxy",
            path: "/proxy/\"quoted\"\n",
            status: 429,
            duration_ms: millis(Duration::from_micros(1_500)),
            bytes: 17,
            upstream: None,
            upstream_duration_ms: None,
            attempts: 0,
            decision: "rate_limited",
        };
        let mut buffer = Vec::new();
        json(&mut buffer, "INFO", &entry).unwrap();
        assert_eq!(buffer.iter().filter(|byte| **byte == b'\n').count(), 1);
        let value: serde_json::Value = serde_json::from_slice(&buffer).unwrap();
        assert_eq!(value["event"], "request");
        assert_eq!(value["status"], 429);
        assert_eq!(value["duration_ms"], 1.5);
        assert_eq!(value["client"], client);
        assert!(value["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(value.get("upstream").is_none());
    }
}
