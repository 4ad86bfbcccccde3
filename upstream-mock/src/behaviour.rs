//! Which misbehaviour a request asks for. Must not: carry it out.

use std::time::Duration;

use http::{Method, StatusCode, Uri};

use crate::parameters::{self, BadParameter};

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Behaviour {
    /// Obeyed at once, also while failing.
    Control(Control),
    /// A plain 200.
    Ok,
    /// The request, told back.
    Echo,
    /// That status.
    Status(StatusCode),
    /// A 200 after so long.
    Slow(Duration),
    /// No answer.
    Hang,
    /// A body broken off half-way, so long after its first half.
    Cut { length: u64, after: Duration },
    /// A connection broken off instead of an answer.
    Reset,
    /// An answer before the body was read.
    Early,
    /// A 500 at this rate.
    Flaky(f64),
    /// A body in pieces.
    Stream { chunks: u32, every: Duration },
    /// A body so long.
    Bytes(u64),
    /// The length of what was sent.
    Sink,
    /// A number for the analytics service.
    StoreMetric,
    /// What the analytics service has of them.
    Summary,
    /// A message, told back.
    EchoMessage,
    /// A text that never changes.
    Fixed(&'static str),
    /// Server-sent events.
    Events { count: u32, every: Duration },
    /// What was asked.
    Anything,
}

/// What steers or watches the mock itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Is it up?
    Health,
    /// Fail from now on.
    Fail,
    /// Fail no more.
    Recover,
    /// A switch by another method than POST: a GET must not change anything.
    WrongMethod,
}

impl Behaviour {
    pub(crate) fn of(method: &Method, uri: &Uri) -> Result<Self, BadParameter> {
        if let Some(control) = Control::of(method, uri.path()) {
            return Ok(Self::Control(control));
        }
        Ok(match uri.path() {
            "/ok" => Self::Ok,
            "/echo" => Self::Echo,
            "/slow" => Self::Slow(parameters::wait(uri, "ms", 1000)?),
            "/hang" => Self::Hang,
            // The pause lets the first half be read before the reset is seen.
            "/cut" => Self::Cut {
                length: parameters::length(uri, "bytes", 2048)?,
                after: parameters::wait(uri, "ms", 20)?,
            },
            "/reset" => Self::Reset,
            "/early" => Self::Early,
            "/flaky" => Self::Flaky(parameters::rate(uri, "rate", 0.5)?),
            "/stream" => Self::Stream {
                chunks: parameters::chunks(uri, "chunks", 10)?,
                every: parameters::wait(uri, "ms", 100)?,
            },
            "/events" => Self::Events {
                count: parameters::chunks(uri, "count", 10)?,
                every: parameters::wait(uri, "ms", 100)?,
            },
            "/sink" => Self::Sink,
            "/api/metrics" if method == Method::POST => Self::StoreMetric,
            "/api/metrics/summary" => Self::Summary,
            "/data" if method == Method::POST => Self::EchoMessage,
            "/api/external-data" | "/external" => {
                Self::Fixed(r#"{"source":"external","data":{"value":42}}"#)
            }
            "/downstream" => Self::Fixed(r#"{"service":"downstream","status":"ok"}"#),
            "/users" => {
                Self::Fixed(r#"{"users":[{"id":1,"name":"user-1"},{"id":2,"name":"user-2"}]}"#)
            }
            path => Self::of_segment(path)?,
        })
    }

    fn of_segment(path: &str) -> Result<Self, BadParameter> {
        if let Some(code) = path.strip_prefix("/status/") {
            parameters::status_segment(code).map(Self::Status)
        } else if let Some(length) = path.strip_prefix("/bytes/") {
            parameters::length_segment(length).map(Self::Bytes)
        } else {
            Ok(Self::Anything)
        }
    }
}

impl Control {
    fn of(method: &Method, path: &str) -> Option<Self> {
        match path {
            "/health" => Some(Self::Health),
            "/simulate-failure" | "/simulate-recovery" if method != Method::POST => {
                Some(Self::WrongMethod)
            }
            "/simulate-failure" => Some(Self::Fail),
            "/simulate-recovery" => Some(Self::Recover),
            _ => None,
        }
    }
}
