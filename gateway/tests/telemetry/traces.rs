//! Spans at a collector: what they say, how they hang together, what becomes of them when the collector is away.

use http::Method;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use upstream_mock::{Mock, Settings};

use crate::collector::{Collector, attribute};
use crate::support::client::{request, send};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::redis::Server;

fn own(spans: &[Span]) -> &Span {
    let own = spans
        .iter()
        .find(|span| span.kind == SpanKind::Server as i32);
    own.expect("the request's own span")
}

fn calls(spans: &[Span]) -> Vec<&Span> {
    let calls = spans
        .iter()
        .filter(|span| span.kind == SpanKind::Client as i32);
    calls.collect()
}

#[tokio::test]
async fn a_request_is_told_with_its_attempts_and_its_questions_to_the_store() {
    let (mock, redis) = (
        Mock::start(Settings::default()).await.unwrap(),
        Server::start().await,
    );
    let collector = Collector::http().await;
    let endpoint = format!("http://{}/", collector.address);
    let gateway = Gateway::start(
        &mock.url(),
        &[
            ("REDIS_URL", &redis.url()),
            ("GATEWAY__STORE__TIMEOUT", "5s"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20b"),
            ("OTEL_SERVICE_NAME", "edge"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=test,service.name=another",
            ),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            ("RETRY_MAX_ATTEMPTS", "2"),
            ("RETRY_INITIAL_DELAY_MS", "1"),
        ],
    );
    let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let asked = request(
        Method::GET,
        "/proxy/status/503?secret=1",
        &[("traceparent", context)],
    );
    assert_eq!(send(gateway.proxy(), asked).await.status, 503);

    let spans = collector.spans(4).await;
    let own = own(&spans);
    assert_eq!(own.name, "GET /proxy/{*path}");
    assert_eq!(
        own.trace_id,
        0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()
    );
    assert_eq!(own.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "503"),
        ("http.route", "/proxy/{*path}"),
        ("url.path", "/proxy/status/503"),
        ("error.type", "503"),
        ("client.address", "127.0.0.1"),
        ("gateway.upstream", "default"),
    ] {
        assert_eq!(attribute(own, key).as_deref(), Some(value), "{key}");
    }
    let told = format!("{spans:?}");
    assert!(
        !told.contains("secret"),
        "a query is nobody's business: {told}"
    );

    let calls = calls(&spans);
    assert!(calls.iter().all(|span| span.parent_span_id == own.span_id));
    let question = calls.iter().find(|span| span.name == "take").unwrap();
    assert_eq!(
        attribute(question, "db.system.name").as_deref(),
        Some("redis")
    );
    let attempts: Vec<_> = calls.iter().filter(|span| span.name == "GET").collect();
    assert_eq!(attempts.len(), 2);
    assert_eq!(
        attribute(attempts[1], "http.request.resend_count").as_deref(),
        Some("1")
    );
    let url = format!("{}/status/503", mock.url());
    let port = mock.url().rsplit(':').next().unwrap().to_owned();
    for (key, value) in [
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("url.full", &url),
        ("error.type", "503"),
    ] {
        let told = attribute(attempts[0], key);
        assert_eq!(told.as_deref(), Some(value), "{key}");
    }
    // Each attempt is the caller of what the upstream did for it.
    let callers = mock.recorder().requests().into_iter().map(|request| {
        let context = request.headers["traceparent"].to_str().unwrap().to_owned();
        u64::from_str_radix(context.split('-').nth(2).unwrap(), 16)
            .unwrap()
            .to_be_bytes()
            .to_vec()
    });
    let callers: Vec<_> = callers.collect();
    assert_eq!(
        callers,
        attempts
            .iter()
            .map(|span| span.span_id.clone())
            .collect::<Vec<_>>()
    );
    assert!(own.start_time_unix_nano < own.end_time_unix_nano);
    assert_eq!(collector.resource("service.name").as_deref(), Some("edge"));
    assert_eq!(
        collector.resource("deployment.environment.name").as_deref(),
        Some("test")
    );
    assert_eq!(collector.headers()["x-tenant"], "a b");
}

#[tokio::test]
async fn spans_travel_by_grpc_too() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let collector = Collector::grpc().await;
    let endpoint = format!("http://{}", collector.address);
    let gateway = Gateway::start(
        &mock.url(),
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme"),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
        ],
    );
    assert_eq!(gateway.get("/proxy/ok").await.status, 200);
    assert_eq!(gateway.get("/nowhere").await.status, 404);
    let spans = collector.spans(3).await;
    assert!(
        spans.iter().any(|span| span.name == "GET"),
        "no route, no pattern"
    );
    assert_eq!(
        attribute(own(&spans), "gateway.decision").as_deref(),
        Some("forwarded")
    );
    assert_eq!(collector.headers()["x-tenant"], "acme");
}

#[tokio::test]
async fn a_method_that_a_client_makes_up_names_no_span() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let collector = Collector::http().await;
    let endpoint = format!("http://{}", collector.address);
    let gateway = Gateway::start(
        &mock.url(),
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
        ],
    );
    let brew = Method::from_bytes(b"BREW").unwrap();
    send(gateway.proxy(), request(brew, "/proxy/pot", &[])).await;
    let spans = collector.spans(2).await;
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert!(names.contains(&"HTTP /proxy/{*path}"), "{names:?}");
    for span in spans.iter().filter(|span| span.name.starts_with("HTTP")) {
        let of = |key| attribute(span, key);
        assert_eq!(of("http.request.method").as_deref(), Some("_OTHER"));
        assert_eq!(of("http.request.method_original").as_deref(), Some("BREW"));
    }
}

#[tokio::test]
async fn what_is_not_sampled_is_not_told() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let collector = Collector::http().await;
    let endpoint = format!("http://{}/v1/traces", collector.address);
    let gateway = Gateway::start(
        &mock.url(),
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
        ],
    );
    for (flags, path) in [("00", "/proxy/unsampled"), ("01", "/proxy/sampled")] {
        let context = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        send(
            gateway.proxy(),
            request(Method::GET, path, &[("traceparent", &context)]),
        )
        .await;
    }
    let spans = collector.spans(2).await;
    let paths: Vec<_> = spans
        .iter()
        .filter_map(|span| attribute(span, "url.path"))
        .collect();
    assert_eq!(paths, ["/proxy/sampled"]);
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Gateway::start(
        &mock.url(),
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ],
    );
    eventually("spans are counted as dropped", || async {
        assert_eq!(gateway.get("/proxy/ok").await.status, 200);
        gateway.metric("gateway_trace_spans_dropped_total").await > 0.0
    })
    .await;
}
