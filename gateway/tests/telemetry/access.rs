//! Access lines: what they hold, what they never hold, which of them are left out.

use http::Method;
use serde_json::Value;
use upstream_mock::{Mock, Settings};

use crate::support::client::{request, send};
use crate::support::eventually;
use crate::support::process::Process;

fn lines(process: &Process) -> Vec<Value> {
    let log = process.log().into_iter();
    log.filter(|line| line["event"] == "request").collect()
}

#[tokio::test]
async fn a_line_holds_what_was_asked_for_and_no_secret() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let process = Process::start(
        &mock.url(),
        &[
            ("GATEWAY__LOG__QUERY", "true"),
            ("GATEWAY__LOG__HEADERS", "user-agent,authorization,x-absent"),
        ],
    )
    .await;
    let headers = [
        ("user-agent", "test/1"),
        ("authorization", "Bearer hush"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ];
    let asked = request(Method::GET, "/proxy/ok?page=2&token=hush", &headers);
    assert_eq!(send(process.proxy, asked).await.status, 200);
    eventually("a line", || async { !lines(&process).is_empty() }).await;
    let line = lines(&process).remove(0);
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
    assert_eq!(line["query"], "page=2&token=***");
    assert_eq!(line["header.user-agent"], "test/1");
    assert!(line.get("header.x-absent").is_none());
    assert!(!line.to_string().contains("hush"), "{line}");
}

#[tokio::test]
async fn of_what_went_well_a_sample_is_written_and_of_the_rest_everything() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let process = Process::start(&mock.url(), &[("GATEWAY__LOG__SAMPLE", "0.5")]).await;
    // The last 16 digits of the trace decide, so that all replicas choose the same.
    for (last, status) in [("0", 200), ("f", 200), ("f", 500), ("f", 404)] {
        let context = format!("00-aaaaaaaaaaaaaaaa{last}000000000000000-b7ad6b7169203331-00");
        let path = match status {
            404 => "/nowhere".to_owned(),
            status => format!("/proxy/status/{status}"),
        };
        let asked = request(Method::GET, &path, &[("traceparent", &context)]);
        assert_eq!(send(process.proxy, asked).await.status, status);
    }
    eventually("three lines", || async { lines(&process).len() == 3 }).await;
    let written = lines(&process)
        .into_iter()
        .map(|line| line["status"].as_u64());
    assert_eq!(
        written.collect::<Vec<_>>(),
        [Some(200), Some(500), Some(404)]
    );
}
