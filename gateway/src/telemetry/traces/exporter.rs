//! The way of spans to a collector: a bounded queue, then batches by OTLP on the background thread.
//!
//! Guarantees: a worker never waits; what the queue does not hold, or the collector does not take, is counted and gone. Must not: keep a
//! batch for a second try beyond what the exporter itself repeats.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::HttpClient;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::{
    SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout_at};

use super::settings::{ExportProtocol, ExportSettings};
use super::{Finished, Span};
use crate::telemetry::clock::Moment;
use crate::telemetry::series::Counter;

/// Spans sent at a time.
const BATCH: usize = 512;
/// The longest that the last batch may take when the gateway stops.
const LAST: Duration = Duration::from_secs(2);

/// A worker's end of the queue.
#[derive(Clone, Debug)]
pub struct Queue {
    sender: Sender<Finished>,
    dropped: Arc<Counter>,
}

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
#[error("traces.endpoint: {0}")]
pub struct ExporterError(String);

/// A queue of at most `size` requests; what does not fit is counted in `dropped`.
#[must_use]
pub fn queue(size: usize, dropped: Arc<Counter>) -> (Queue, Receiver<Finished>) {
    let (sender, receiver) = channel(size.max(1));
    (Queue { sender, dropped }, receiver)
}

impl Queue {
    pub(super) fn send(&self, finished: Finished) {
        let spans = finished.spans.len() as u64;
        if self.sender.try_send(finished).is_err() {
            self.dropped.add(spans);
        }
    }
}

/// Sends what comes through the queue until nobody can put anything in any more.
///
/// # Errors
/// An endpoint or header that the exporter cannot use.
pub async fn export(
    settings: &ExportSettings,
    instance: &str,
    mut queue: Receiver<Finished>,
    dropped: &Counter,
) -> Result<(), ExporterError> {
    let mut exporter = exporter(settings).map_err(ExporterError)?;
    exporter.set_resource(&resource(settings, instance));
    let mut batch = Vec::with_capacity(BATCH);
    let mut healthy = true;
    while let Some(first) = queue.recv().await {
        first.into_spans(&mut batch);
        let end = Instant::now() + settings.delay;
        while batch.len() < BATCH
            && let Ok(Some(next)) = timeout_at(end, queue.recv()).await
        {
            next.into_spans(&mut batch);
        }
        let spans = batch.len() as u64;
        let sent = exporter.export(std::mem::take(&mut batch)).await;
        match sent {
            Ok(()) => healthy = true,
            Err(error) => {
                dropped.add(spans);
                // Once for each time it breaks: a collector that is away must not fill the log.
                if std::mem::replace(&mut healthy, false) {
                    tracing::warn!(event = "traces_not_exported", %error);
                }
            }
        }
    }
    let _ = exporter.shutdown_with_timeout(LAST);
    Ok(())
}

fn exporter(settings: &ExportSettings) -> Result<SpanExporter, String> {
    let built = match settings.protocol {
        ExportProtocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_endpoint(&settings.endpoint)
            .with_timeout(settings.timeout)
            .with_metadata(MetadataMap::from_headers(headers(&settings.headers)?))
            .build(),
        ExportProtocol::Http => SpanExporter::builder()
            .with_http()
            .with_shared_http_client(client(settings)?)
            .with_endpoint(&settings.endpoint)
            .with_timeout(settings.timeout)
            .with_headers(settings.headers.iter().cloned().collect())
            .build(),
    };
    built.map_err(|error| error.to_string())
}

fn headers(listed: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in listed {
        let wrong = |_| format!("`{name}` or its value is not a header");
        let parsed: HeaderName = name.parse().map_err(|_| wrong(()))?;
        let value: HeaderValue = value.parse().map_err(|_| wrong(()))?;
        headers.insert(parsed, value);
    }
    Ok(headers)
}

/// HTTP with TLS where the URL asks for it, by the system's authorities.
fn client(settings: &ExportSettings) -> Result<Arc<dyn HttpClient>, String> {
    if !settings.endpoint.starts_with("https:") {
        let client = HyperClient::with_default_connector(settings.timeout, None);
        return Ok(Arc::new(client));
    }
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| error.to_string())?
        .https_only()
        .enable_http1()
        .build();
    Ok(Arc::new(HyperClient::new(
        connector,
        settings.timeout,
        None,
    )))
}

fn resource(settings: &ExportSettings, instance: &str) -> Resource {
    let own = [
        KeyValue::new("service.name", settings.service.clone()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance.to_owned()),
    ];
    let more = settings.attributes.iter();
    let more = more.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(own.into_iter().chain(more))
        .build()
}

impl Finished {
    /// The spans as the exporter takes them.
    fn into_spans(self, batch: &mut Vec<SpanData>) {
        let Self {
            trace,
            begun,
            spans,
        } = self;
        batch.extend(spans.into_iter().map(|span| span.into_data(trace, &begun)));
    }
}

impl Span {
    fn into_data(self, trace: u128, begun: &Moment) -> SpanData {
        SpanData {
            span_context: SpanContext::new(
                TraceId::from_bytes(trace.to_be_bytes()),
                SpanId::from_bytes(self.id.to_be_bytes()),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: SpanId::from_bytes(self.parent.to_be_bytes()),
            parent_span_is_remote: self.parent_is_remote,
            span_kind: self.kind,
            name: self.name,
            start_time: begun.time_of(self.begun),
            end_time: begun.time_of(self.ended),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: self.status,
            instrumentation_scope: InstrumentationScope::builder("gateway")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}
