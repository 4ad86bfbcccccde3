//! W3C Trace Context in and out, with nothing exported.

use http::Method;
use upstream_mock::{Mock, RecordedRequest, Settings};

use crate::support::client::{request, send};
use crate::support::gateway::Gateway;

const INCOMING: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

async fn forwarded(more: &[(&str, &str)], headers: &[(&str, &str)]) -> RecordedRequest {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Gateway::start(&mock.url(), more);
    let answer = send(gateway.proxy(), request(Method::GET, "/proxy/ok", headers)).await;
    assert_eq!(answer.status, 200);
    mock.recorder().requests().pop().unwrap()
}

fn parts(request: &RecordedRequest) -> Vec<String> {
    let context = request.headers["traceparent"].to_str().unwrap();
    context.split('-').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_trace_goes_on_with_the_gateway_as_the_caller() {
    let headers = [("traceparent", INCOMING), ("tracestate", "vendor=1")];
    let request = forwarded(&[], &headers).await;
    let parts = parts(&request);
    assert_eq!(parts[1], "0af7651916cd43dd8448eb211c80319c");
    assert_ne!(parts[2], "b7ad6b7169203331");
    assert_eq!(parts[3], "00", "who calls decides what is kept");
    assert_eq!(request.headers["tracestate"], "vendor=1");
}

#[tokio::test]
async fn a_trace_begins_here_and_lends_the_request_its_id() {
    let request = forwarded(&[], &[]).await;
    let parts = parts(&request);
    assert_eq!(request.headers["x-request-id"], parts[1].as_str());
    assert_eq!(parts[3], "01");
    let never = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    assert_eq!(self::parts(&forwarded(&never, &[]).await)[3], "00");
}

#[tokio::test]
async fn what_cannot_be_read_begins_anew() {
    for headers in [
        vec![("traceparent", "00-zz-zz-00"), ("tracestate", "vendor=1")],
        vec![
            ("traceparent", INCOMING),
            ("traceparent", INCOMING),
            ("tracestate", "vendor=1"),
        ],
    ] {
        let request = forwarded(&[], &headers).await;
        assert_eq!(request.headers.get_all("traceparent").iter().count(), 1);
        assert_ne!(parts(&request)[1], "0af7651916cd43dd8448eb211c80319c");
        assert!(!request.headers.contains_key("tracestate"));
    }
}
