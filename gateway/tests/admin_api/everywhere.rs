//! Orders that concern several replicas, and clients near their limit, as every replica shows them.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use upstream_mock::{Mock, Settings};

use super::support::eventually;
use super::support::gateway::Gateway;
use super::support::process::Process;
use super::support::redis::Server;
use super::{PATIENT, get, post};

async fn pair(mock: &Mock, redis: &Server) -> (Process, Process) {
    let url = redis.url();
    let more = [("REDIS_URL", url.as_str()), PATIENT];
    let pair = (
        Process::start(&mock.url(), &more).await,
        Process::start(&mock.url(), &more).await,
    );
    eventually("each sees both", || async {
        let mut seen = 0;
        for one in [&pair.0, &pair.1] {
            let fleet = get(one.admin, "/api/v1/fleet").await.json();
            seen += fleet["replicas"].as_array().unwrap().len();
        }
        seen == 4
    })
    .await;
    pair
}

#[tokio::test]
async fn an_order_for_all_reaches_every_replica_within_a_second_and_stands_in_each_ones_audit() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let (a, b) = pair(&mock, &redis).await;
    let path = "/api/v1/log-level";
    let wrong = json!({ "level": "gateway=loud", "replicas": "all" });
    assert_eq!(post(a.admin, path, &wrong).await.status, 400);
    let said =
        json!({ "level": "debug", "replicas": "all", "author": "mara", "reason": "ticket 4711" });
    assert_eq!(post(a.admin, path, &said).await.status, 200);
    let started = Instant::now();
    b.event("log_level").await;
    assert!(started.elapsed() < Duration::from_secs(1));
    for one in [&a, &b] {
        eventually("both entries stand in both", || async {
            // Being looked at is what makes a replica read the others each second.
            let fleet = get(one.admin, "/api/v1/fleet").await.json();
            let entries = fleet["audit"].as_array().unwrap().iter();
            let ordered = entries.filter(|entry| {
                entry["action"] == "log-level"
                    && entry["by"] == "mara (loopback)"
                    && entry["reason"] == "ticket 4711"
                    && entry["result"] == "ok"
            });
            ordered.count() == 2
        })
        .await;
    }
    let audit = b.event("audit").await;
    assert!(
        audit["target"]
            .as_str()
            .unwrap()
            .contains("ordered through"),
        "{audit}"
    );
    // Nobody did it twice.
    let events = |one: &Process| {
        one.log()
            .iter()
            .filter(|line| line["event"] == "log_level")
            .count()
    };
    assert_eq!((events(&a), events(&b)), (1, 1));
}

#[tokio::test]
async fn what_was_ordered_through_one_replica_stands_in_the_audit_of_another_that_nobody_looked_at()
{
    let redis = Server::start().await;
    let url = redis.url();
    let more = [("REDIS_URL", url.as_str()), PATIENT];
    let (a, b) = (
        Gateway::start("http://127.0.0.1:9", &more),
        Gateway::start("http://127.0.0.1:9", &more),
    );
    let said = json!({ "reason": "a test" });
    let held = post(a.admin(), "/api/v1/circuits/default/open", &said).await;
    assert_eq!(held.status, 200, "{held:?}");
    eventually("the entry is there", || async {
        let audit = get(b.admin(), "/api/v1/audit").await.json();
        audit[0]["action"] == "circuit.open" && audit[0]["reason"] == "a test"
    })
    .await;
}

#[tokio::test]
async fn a_replica_is_taken_out_through_another_by_name() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let (a, b) = pair(&mock, &redis).await;
    let name = get(b.admin, "/api/v1/replica").await.json()["replica"]["id"].clone();
    for (replicas, status) in [
        (json!(["nobody-00000000"]), 404),
        (json!([]), 400),
        (json!("some"), 400),
        (json!(["a b"]), 400),
        (json!([name]), 200),
    ] {
        let answer = post(a.admin, "/api/v1/drain", &json!({ "replicas": replicas })).await;
        assert_eq!(answer.status, status, "{replicas}");
    }
    eventually("it fails its readiness", || async {
        get(b.admin, "/readyz").await.status == 503
    })
    .await;
    assert_eq!(get(a.admin, "/readyz").await.status, 200);
    let back = post(a.admin, "/api/v1/undrain", &json!({ "replicas": [name] })).await;
    assert_eq!(back.status, 200, "{back:?}");
    eventually("it is back", || async {
        get(b.admin, "/readyz").await.status == 200
    })
    .await;
    b.event("returned").await;
}

#[tokio::test]
async fn who_is_over_a_limit_shows_on_every_replica_and_in_no_metric() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let url = redis.url();
    let more = [
        ("REDIS_URL", url.as_str()),
        PATIENT,
        ("RATE_LIMIT_CAPACITY", "3"),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "36000"),
    ];
    let (a, b) = (
        Gateway::start(&mock.url(), &more),
        Gateway::start(&mock.url(), &more),
    );
    let path = "/api/v1/limits/per-client/clients";
    assert_eq!(get(a.admin(), path).await.json()["clients"], json!([]));
    eventually("the tokens are spent", || async {
        a.get("/proxy/ok").await.status == 429
    })
    .await;
    for gateway in [&a, &b] {
        eventually("it is told", || async {
            let told = get(gateway.admin(), path).await.json();
            let first = &told["clients"][0];
            told["capacity"] == 3
                && first["client"] == "127.0.0.1"
                && first["remaining"] == 0
                && first["retry_after"].as_u64() > Some(1_000)
        })
        .await;
    }
    let metrics = get(a.admin(), "/metrics").await;
    assert!(!String::from_utf8_lossy(&metrics.body).contains("\"127.0.0.1\""));
    let reset = "/api/v1/limits/per-client/reset";
    let answer = post(b.admin(), reset, &json!({ "client": "127.0.0.1" })).await;
    assert_eq!(answer.status, 200);
    eventually("it has all of it again", || async {
        get(a.admin(), path).await.json()["clients"] == json!([])
    })
    .await;
    let unknown = get(a.admin(), "/api/v1/limits/nobody/clients").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn calls_of_the_store_have_buckets_below_its_deadline_and_failures_begin_at_zero() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let url = redis.url();
    let gateway = Gateway::start(&mock.url(), &[("REDIS_URL", url.as_str()), PATIENT]);
    assert_eq!(gateway.get("/proxy/ok").await.status, 200);
    let metrics = get(gateway.admin(), "/metrics").await;
    let text = String::from_utf8_lossy(&metrics.body);
    for line in [
        r#"gateway_store_operations_total{op="take",result="timeout"} 0"#,
        r#"gateway_store_operation_duration_seconds_bucket{op="take",le="0.0001"}"#,
        r#"gateway_store_operation_duration_seconds_bucket{op="take",le="0.02"}"#,
        r#"gateway_http_request_duration_seconds_bucket{route="proxy",le="0.005"}"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
