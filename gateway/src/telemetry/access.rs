//! The access log: one line for each request, formatted on the worker into a buffer of its own and handed over in chunks.
//!
//! Guarantees: no lock and, but for the chunk, no allocation per line; a line waits at most until the worker's next tick.
//! Must not: hold a query string or a header's value other than the request id.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write as _;
use std::time::Duration;

use super::clock::Stamp;
use super::json::{Object, key};
use super::logs::Writer;
use super::settings::LogFormat;

/// Bytes after which a worker hands its lines over without waiting for the tick. Each chunk wakes the writing thread once.
const CHUNK: usize = 16 * 1024;

/// What one request left behind.
#[derive(Debug)]
pub struct Entry<'a, C> {
    /// The id the request carried or was given.
    pub request_id: &'a str,
    /// Whom it was counted for.
    pub client: &'a C,
    /// The version of HTTP the client spoke, as `HTTP/1.1`.
    pub protocol: &'a str,
    /// The method, as sent.
    pub method: &'a str,
    /// The route's name, or `-`.
    pub route: &'a str,
    /// The path, without its query.
    pub path: &'a str,
    /// The status answered.
    pub status: u16,
    /// From the head to the last byte.
    pub duration: Duration,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// The upstream's name, when the request was sent to one.
    pub upstream: Option<&'a str>,
    /// To the upstream's response head, all attempts together.
    pub upstream_duration: Option<Duration>,
    /// Attempts made.
    pub attempts: u32,
    /// `forwarded`, or why the gateway answered itself.
    pub decision: &'a str,
}

/// A worker's end of the access log.
#[derive(Debug)]
pub struct AccessLog {
    writer: Writer,
    format: LogFormat,
    lines: RefCell<Lines>,
}

#[derive(Debug)]
struct Lines {
    buffer: Vec<u8>,
    stamp: Stamp,
}

impl AccessLog {
    /// An access log that writes to `writer`.
    #[must_use]
    pub fn new(writer: Writer, format: LogFormat) -> Self {
        let lines = Lines {
            buffer: empty(),
            stamp: Stamp::default(),
        };
        Self {
            writer,
            format,
            lines: RefCell::new(lines),
        }
    }

    /// Appends one line.
    pub fn record<C: Display>(&self, entry: &Entry<'_, C>) {
        let mut lines = self.lines.borrow_mut();
        let level = if entry.status >= 500 { "WARN" } else { "INFO" };
        match self.format {
            LogFormat::Json => lines.json(level, entry),
            LogFormat::Text => lines.text(level, entry),
        }
        if lines.buffer.len() >= CHUNK {
            self.writer
                .send(std::mem::replace(&mut lines.buffer, empty()));
        }
    }

    /// Hands over what is buffered; called by the worker's tick.
    pub fn flush(&self) {
        let mut lines = self.lines.borrow_mut();
        if !lines.buffer.is_empty() {
            self.writer
                .send(std::mem::replace(&mut lines.buffer, empty()));
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

fn empty() -> Vec<u8> {
    Vec::with_capacity(CHUNK + 1024)
}

impl Lines {
    fn json<C: Display>(&mut self, level: &str, entry: &Entry<'_, C>) {
        let mut object = Object::begin(&mut self.buffer, self.stamp.now());
        object.text(key!("level"), level);
        object.text(key!("event"), "request");
        object.text(key!("request_id"), entry.request_id);
        object.display(key!("client"), entry.client);
        object.text(key!("method"), entry.method);
        object.text(key!("route"), entry.route);
        object.text(key!("path"), entry.path);
        object.number(key!("status"), entry.status);
        object.millis(key!("duration_ms"), entry.duration);
        object.number(key!("bytes"), entry.bytes);
        if let Some(upstream) = entry.upstream {
            object.text(key!("upstream"), upstream);
        }
        if let Some(duration) = entry.upstream_duration {
            object.millis(key!("upstream_duration_ms"), duration);
        }
        object.number(key!("attempts"), entry.attempts);
        object.text(key!("protocol"), entry.protocol);
        object.text(key!("decision"), entry.decision);
        object.end();
    }

    fn text<C: Display>(&mut self, level: &str, entry: &Entry<'_, C>) {
        let written = writeln!(
            self.buffer,
            "{} {level:>5} request {} {} -> {} {:.1}ms {}B client={} route={} decision={} id={}",
            self.stamp.now(),
            entry.method,
            entry.path.escape_debug(),
            entry.status,
            entry.duration.as_secs_f64() * 1e3,
            entry.bytes,
            entry.client,
            entry.route,
            entry.decision,
            entry.request_id,
        );
        debug_assert!(written.is_ok(), "writing to memory does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Lines {
        Lines {
            buffer: Vec::new(),
            stamp: Stamp::default(),
        }
    }

    #[test]
    fn a_line_is_one_json_object() {
        let entry = Entry {
            request_id: "abc",
            client: &"192.0.2.1",
            protocol: "HTTP/1.1",
            method: "GET",
            route: "proxy",
            path: "/proxy/\"quoted\"\n",
            status: 429,
            duration: Duration::from_micros(1_500),
            bytes: 17,
            upstream: None,
            upstream_duration: Some(Duration::from_micros(60_000_007)),
            attempts: 0,
            decision: "rate_limited",
        };
        let mut lines = lines();
        lines.json("INFO", &entry);
        assert!(lines.buffer.ends_with(b"}\n"));
        assert_eq!(
            lines.buffer.iter().filter(|byte| **byte == b'\n').count(),
            1
        );
        let value: serde_json::Value = serde_json::from_slice(&lines.buffer).unwrap();
        assert_eq!(value["event"], "request");
        assert_eq!(value["path"], "/proxy/\"quoted\"\n");
        assert_eq!(value["status"], 429);
        assert_eq!(value["duration_ms"], 1.5);
        assert_eq!(value["upstream_duration_ms"], 60_000.007);
        assert_eq!(value["client"], "192.0.2.1");
        assert!(value["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(value.get("upstream").is_none());
    }
}
