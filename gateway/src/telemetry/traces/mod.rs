//! Traces: which request belongs to which story, told to the upstream always and to a collector where one is configured.
//!
//! The context goes in and out by W3C Trace Context. A request that is not exported costs one text of 55 bytes, whose middle is the
//! request's id too if it brought none.
//!
//! Guarantees: recording never waits: spans go through a bounded queue, and what does not fit is counted. Must not: put a header, a query
//! or a body into a span.

mod context;
mod exporter;
mod sampler;
pub mod settings;

pub use context::TraceContext;
pub use exporter::{ExporterError, Queue, export, queue};
pub use opentelemetry::KeyValue;

use std::borrow::Cow;

use bytes::Bytes;
use opentelemetry::trace::{SpanKind, Status};
use tokio::time::Instant;

use super::clock::Moment;
use sampler::Sampler;

/// Spans kept of one request besides its own: attempts and calls of the store.
const MOST_SPANS: usize = 64;

/// One thread's tracer.
#[derive(Clone, Debug)]
pub struct Tracer {
    sampler: Sampler,
    queue: Option<Queue>,
}

/// The trace that one request belongs to.
#[derive(Debug)]
pub struct Trace {
    context: TraceContext,
    parent: Option<u64>,
    header: Bytes,
    recording: Option<Box<Recording>>,
}

/// A copy is of the same trace and records nothing: what is done behind a request is nobody's span.
impl Clone for Trace {
    fn clone(&self) -> Self {
        Self {
            context: self.context,
            parent: self.parent,
            header: self.header.clone(),
            recording: None,
        }
    }
}

#[derive(Debug)]
struct Recording {
    begun: Moment,
    spans: Vec<Span>,
}

/// A part of a request that took time.
#[derive(Debug)]
struct Span {
    id: u64,
    parent: u64,
    parent_is_remote: bool,
    kind: SpanKind,
    name: Cow<'static, str>,
    begun: Instant,
    ended: Instant,
    attributes: Vec<KeyValue>,
    status: Status,
}

/// All spans of a request, the request's own last.
#[derive(Debug)]
pub struct Finished {
    trace: u128,
    begun: Moment,
    spans: Vec<Span>,
}

/// What is told of a request, or of a part of it.
#[derive(Debug)]
pub struct Told {
    /// A name with few values: `GET /users/{id}`.
    pub name: Cow<'static, str>,
    /// When it began.
    pub begun: Instant,
    /// Attributes, by OpenTelemetry's semantic conventions.
    pub attributes: Vec<KeyValue>,
    /// Why it failed, if it did.
    pub error: Option<Cow<'static, str>>,
}

impl Tracer {
    /// A tracer that exports through `queue`, if there is one.
    #[must_use]
    pub const fn new(settings: &settings::Settings, queue: Option<Queue>) -> Self {
        Self {
            sampler: Sampler::new(settings.sampler),
            queue,
        }
    }

    /// A tracer that keeps other traces and exports through the same queue.
    #[must_use]
    pub fn renewed(&self, settings: &settings::Settings) -> Self {
        Self::new(settings, self.queue.clone())
    }

    /// The trace of a request that came with `traceparent`, or the beginning of one.
    #[must_use]
    pub fn begin(&self, traceparent: Option<&[u8]>) -> Trace {
        let incoming = traceparent.and_then(TraceContext::parse);
        let trace = incoming.map_or_else(|| fastrand::u128(1..), |incoming| incoming.trace);
        let context = TraceContext {
            trace,
            span: fastrand::u64(1..),
            sampled: self
                .sampler
                .samples(trace, incoming.map(|incoming| incoming.sampled)),
        };
        let recording = (context.sampled && self.queue.is_some()).then(|| {
            Box::new(Recording {
                begun: Moment::now(),
                spans: Vec::new(),
            })
        });
        Trace {
            header: context.text(),
            context,
            parent: incoming.map(|incoming| incoming.span),
            recording,
        }
    }

    /// Hands the spans of a request over, closed by its own.
    pub fn finish(&self, trace: &mut Trace, told: Told) {
        let (Some(queue), Some(recording)) = (&self.queue, trace.recording.take()) else {
            return;
        };
        let Recording { begun, mut spans } = *recording;
        let own = Span {
            id: trace.context.span,
            parent: trace.parent.unwrap_or_default(),
            parent_is_remote: true,
            ..Span::new(told, SpanKind::Server)
        };
        spans.push(own);
        queue.send(Finished {
            trace: trace.context.trace,
            begun,
            spans,
        });
    }
}

impl Trace {
    /// The trace's id, 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        context::part(&self.header, context::TRACE)
    }

    /// The same, as a value that can be kept without a copy.
    #[must_use]
    pub fn id_bytes(&self) -> Bytes {
        self.header.slice(context::TRACE)
    }

    /// The id of the request's own span, 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> &[u8] {
        context::part(&self.header, context::SPAN)
    }

    /// What the upstream is told in `traceparent`: the request's own span is its parent.
    #[must_use]
    pub const fn header(&self) -> &Bytes {
        &self.header
    }

    /// Whether spans are kept of this request: only then is anything to be told.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Whether the request came with a context that can be read; else its `tracestate` says nothing.
    #[must_use]
    pub const fn continues(&self) -> bool {
        self.parent.is_some()
    }

    /// A new span's id and the `traceparent` that makes it the parent of what is called.
    #[must_use]
    pub fn call(&self) -> (u64, Bytes) {
        let span = fastrand::u64(1..);
        let header = TraceContext {
            span,
            ..self.context
        };
        (span, header.text())
    }

    /// Keeps a call that was made: an attempt, or a question to the store. `id` is that of [`Self::call`], if it was told to anybody.
    pub fn called(&mut self, id: Option<u64>, told: Told) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if recording.spans.len() < MOST_SPANS {
            recording.spans.push(Span {
                id: id.unwrap_or_else(|| fastrand::u64(1..)),
                parent: self.context.span,
                ..Span::new(told, SpanKind::Client)
            });
        }
    }
}

impl Span {
    fn new(told: Told, kind: SpanKind) -> Self {
        Self {
            id: 0,
            parent: 0,
            parent_is_remote: false,
            kind,
            name: told.name,
            begun: told.begun,
            ended: Instant::now(),
            attributes: told.attributes,
            status: told.error.map_or(Status::Unset, Status::error),
        }
    }
}
