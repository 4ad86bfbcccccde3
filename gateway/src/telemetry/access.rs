//! The access log: one line for each request, formatted on the worker into a buffer of its own and handed over in chunks.
//!
//! Guarantees: no lock and, but for the chunk, no allocation per line; a line waits at most until the worker's next tick.
//! Must not: write a query or a header's value other than the request id unless asked to, and never one that is to be redacted.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::clock::Stamp;
use super::json::{Object, key};
use super::logs::Writer;
use super::settings::{AccessSettings, LogFormat};

/// Bytes after which a worker hands its lines over without waiting for the tick. Each chunk wakes the writing thread once.
const CHUNK: usize = 16 * 1024;

/// What one request left behind. Names are letters, digits, `-`, `_` and `.`.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The id the request carried or was given: letters, digits, and marks that JSON does not escape.
    pub request_id: &'a [u8],
    /// Whom it was counted for.
    pub client: &'a str,
    /// The version of HTTP the client spoke, as `HTTP/1.1`.
    pub protocol: &'a str,
    /// The method, as sent: a token (RFC 9110, section 5.6.2).
    pub method: &'a str,
    /// The route's name, or `-`.
    pub route: &'a str,
    /// The trace, 32 hexadecimal digits.
    pub trace_id: &'a [u8],
    /// The request's span, 16 hexadecimal digits.
    pub span_id: &'a [u8],
    /// The path, without its query.
    pub path: &'a str,
    /// The query, if there is one.
    pub query: Option<&'a str>,
    /// Values of the headers asked for by [`AccessLog::headers`], in that order.
    pub headers: &'a [Option<HeaderValue>],
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
    settings: AccessSettings,
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
    pub fn new(writer: Writer, format: LogFormat, mut settings: AccessSettings) -> Self {
        let AccessSettings {
            headers,
            redact_headers,
            ..
        } = &mut settings;
        headers.retain(|name| !redact_headers.contains(name));
        let lines = Lines {
            buffer: empty(),
            stamp: Stamp::default(),
        };
        Self {
            writer,
            format,
            settings,
            lines: RefCell::new(lines),
        }
    }

    /// The request headers that lines hold.
    #[must_use]
    pub fn headers(&self) -> &[HeaderName] {
        &self.settings.headers
    }

    /// Whether a request that went well leaves a line: replicas choose the same traces.
    fn is_sampled(&self, trace_id: &[u8]) -> bool {
        if self.settings.sample >= 1.0 {
            return true;
        }
        let digits = std::str::from_utf8(trace_id.get(16..).unwrap_or_default());
        let number = digits.map_or(0, |digits| u64::from_str_radix(digits, 16).unwrap_or(0));
        (number as f64) < self.settings.sample * u64::MAX as f64
    }

    /// Appends one line.
    pub fn record(&self, entry: &Entry<'_>) {
        let went_well = entry.status < 500 && matches!(entry.decision, "forwarded" | "local");
        if went_well && !self.is_sampled(entry.trace_id) {
            return;
        }
        let mut lines = self.lines.borrow_mut();
        match self.format {
            LogFormat::Json => lines.json(entry, &self.settings),
            LogFormat::Text => lines.text(entry),
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
    fn json(&mut self, entry: &Entry<'_>, settings: &AccessSettings) {
        let mut object = Object::begin(&mut self.buffer, self.stamp.now());
        object.constant(match entry.status {
            500.. => r#","level":"WARN","event":"request""#,
            _ => r#","level":"INFO","event":"request""#,
        });
        object.plain(key!("request_id"), entry.request_id);
        object.plain(key!("trace_id"), entry.trace_id);
        object.plain(key!("span_id"), entry.span_id);
        object.text(key!("client"), entry.client);
        object.plain(key!("method"), entry.method.as_bytes());
        object.plain(key!("route"), entry.route.as_bytes());
        object.text(key!("path"), entry.path);
        if let Some(query) = entry.query.filter(|_| settings.query) {
            object.text(key!("query"), &redacted(query, &settings.redact_query));
        }
        object.number(key!("status"), entry.status);
        object.millis(key!("duration_ms"), entry.duration);
        object.number(key!("bytes"), entry.bytes);
        if let Some(upstream) = entry.upstream {
            object.plain(key!("upstream"), upstream.as_bytes());
        }
        if let Some(duration) = entry.upstream_duration {
            object.millis(key!("upstream_duration_ms"), duration);
        }
        object.number(key!("attempts"), entry.attempts);
        object.plain(key!("protocol"), entry.protocol.as_bytes());
        object.plain(key!("decision"), entry.decision.as_bytes());
        for (name, value) in settings.headers.iter().zip(entry.headers) {
            if let Some(value) = value {
                object.named("header.", name.as_str(), value.as_bytes());
            }
        }
        object.end();
    }

    fn text(&mut self, entry: &Entry<'_>) {
        let level = if entry.status >= 500 { "WARN" } else { "INFO" };
        let written = writeln!(
            self.buffer,
            "{} {level:>5} request {} {} -> {} {:.1}ms {}B client={} route={} decision={} id={}",
            self.stamp.now_text(),
            entry.method,
            entry.path.escape_debug(),
            entry.status,
            entry.duration.as_secs_f64() * 1e3,
            entry.bytes,
            entry.client,
            entry.route,
            entry.decision,
            String::from_utf8_lossy(entry.request_id),
        );
        debug_assert!(written.is_ok(), "writing to memory does not fail");
    }
}

/// A query with the values of these parameters left out.
pub(super) fn redacted(query: &str, names: &[String]) -> String {
    let mut text = String::with_capacity(query.len());
    for (place, pair) in query.split('&').enumerate() {
        if place > 0 {
            text.push('&');
        }
        match pair.split_once('=') {
            Some((name, _)) if is_any_of(name, names) => {
                text.push_str(name);
                text.push_str("=***");
            }
            _ => text.push_str(pair),
        }
    }
    text
}

/// Whether a parameter is one of `names`, however it is written: whoever reads the query decodes it (URL, section 5.1).
fn is_any_of(name: &str, names: &[String]) -> bool {
    let is_it = |name: &[u8]| {
        let mut names = names.iter().map(String::as_bytes);
        names.any(|one| one.eq_ignore_ascii_case(name))
    };
    is_it(name.as_bytes()) || (name.contains(['%', '+']) && is_it(&decoded(name)))
}

fn decoded(name: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut octets = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        octets.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = behind;
                    (high << 4 | low) as u8
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        });
    }
    octets
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
    fn a_parameter_is_left_out_however_its_name_is_written() {
        let names = ["token".to_owned(), "api key".to_owned()];
        let query = "%74OKEN=a&api+key=b&api%20key=c&%7=d&%zz=e&tok%65=f";
        assert_eq!(
            redacted(query, &names),
            "%74OKEN=***&api+key=***&api%20key=***&%7=d&%zz=e&tok%65=f"
        );
    }

    #[test]
    fn a_line_is_one_json_object() {
        let entry = Entry {
            request_id: b"abc",
            client: "192.0.2.1",
            protocol: "HTTP/1.1",
            method: "GET",
            route: "proxy",
            trace_id: b"0af7651916cd43dd8448eb211c80319c",
            span_id: b"b7ad6b7169203331",
            path: "/proxy/\"quoted\"\n",
            query: Some("a=1&Token=hush&b"),
            headers: &[Some(HeaderValue::from_static("curl \"8\"")), None],
            status: 429,
            duration: Duration::from_micros(1_500),
            bytes: 17,
            upstream: None,
            upstream_duration: Some(Duration::from_micros(60_000_007)),
            attempts: 0,
            decision: "rate_limited",
        };
        let mut lines = lines();
        let settings = AccessSettings {
            query: true,
            headers: vec![http::header::USER_AGENT, http::header::REFERER],
            redact_query: vec!["token".to_owned()],
            ..AccessSettings::default()
        };
        lines.json(&entry, &settings);
        assert!(lines.buffer.ends_with(b"}\n"));
        assert_eq!(
            lines.buffer.iter().filter(|byte| **byte == b'\n').count(),
            1
        );
        let value: serde_json::Value = serde_json::from_slice(&lines.buffer).unwrap();
        assert_eq!(value["event"], "request");
        assert_eq!(value["path"], "/proxy/\"quoted\"\n");
        assert_eq!(value["query"], "a=1&Token=***&b");
        assert_eq!(value["header.user-agent"], "curl \"8\"");
        assert!(value.get("header.referer").is_none());
        assert_eq!(value["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(value["status"], 429);
        assert_eq!(value["duration_ms"], 1.5);
        assert_eq!(value["upstream_duration_ms"], 60_000.007);
        assert_eq!(value["client"], "192.0.2.1");
        assert!(value["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(value.get("upstream").is_none());
    }
}
