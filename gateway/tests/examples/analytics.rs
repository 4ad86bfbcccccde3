//! `analytics-fixed-window` and `analytics-read-through`.

use crate::stage::{Stage, StoreKind, minute, on_both_stores};

const METRIC: &str = r#"{"timestamp":"2026-01-01T00:00:00Z","value":10,"type":"cpu"}"#;
const SUMMARY: &str = "/api/metrics/summary?type=cpu&period=day";

on_both_stores!(
    the_sixth_metric_of_a_minute_is_refused,
    a_summary_is_kept_for_a_minute,
    an_open_circuit_is_told_plainly,
    a_metric_throws_the_summary_away,
    a_fallback_stands_in_for_what_is_broken,
);

async fn the_sixth_metric_of_a_minute_is_refused(kind: StoreKind) {
    loop {
        let stage = Stage::set("analytics-fixed-window", kind, &[]).await;
        let began = minute();
        let mut statuses = Vec::new();
        let mut wait = None;
        for _ in 0..6 {
            let answer = stage.post("/api/metrics", METRIC).await;
            wait = answer.header("retry-after").map(str::to_owned);
            statuses.push(answer.status);
        }
        // A window that ended meanwhile begins anew, as it should: then once more.
        if minute() == began {
            assert_eq!(statuses, [201, 201, 201, 201, 201, 429]);
            let wait: u64 = wait.expect("Retry-After").parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            return;
        }
    }
}

async fn a_summary_is_kept_for_a_minute(kind: StoreKind) {
    let stage = Stage::set("analytics-fixed-window", kind, &[]).await;
    assert_eq!(stage.post("/api/metrics", METRIC).await.status, 201);
    let first = stage.get(SUMMARY).await;
    assert_eq!((first.status, &first.json()["count"]), (200, &1.into()));
    let second = stage.get(SUMMARY).await;
    assert_eq!(second.body, first.body);
    let status = second.header("cache-status").unwrap();
    assert!(status.contains("hit"), "{status}");
    assert_eq!(stage.asked("/api/metrics/summary"), 1);
}

async fn an_open_circuit_is_told_plainly(kind: StoreKind) {
    let stage = Stage::set("analytics-fixed-window", kind, &[]).await;
    assert_eq!(stage.get("/api/external-data").await.status, 200);
    stage.mock.set_failing(true);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(stage.get("/api/external-data").await.status);
    }
    assert_eq!(statuses, [500, 500, 500, 503]);
    assert_eq!(stage.asked("/api/external-data"), 4);
}

async fn a_metric_throws_the_summary_away(kind: StoreKind) {
    let ttl = [("GATEWAY__ROUTES__SUMMARY__CACHE__TTL", "5m")];
    let stage = Stage::set("analytics-read-through", kind, &ttl).await;
    assert_eq!(stage.get("/health").await.body, r#"{"status":"ok"}"#);
    for count in 1..=3 {
        assert_eq!(stage.post("/api/metrics", METRIC).await.status, 201);
        for _ in 0..2 {
            assert_eq!(stage.get(SUMMARY).await.json()["count"], count);
        }
    }
    assert_eq!(
        stage.asked("/api/metrics/summary"),
        3,
        "each once after a write"
    );
    // A write that failed changes nothing.
    assert_eq!(stage.post("/api/metrics", "{}").await.status, 422);
    assert_eq!(stage.get(SUMMARY).await.json()["count"], 3);
    assert_eq!(stage.asked("/api/metrics/summary"), 3);
}

async fn a_fallback_stands_in_for_what_is_broken(kind: StoreKind) {
    let stage = Stage::set("analytics-read-through", kind, &[]).await;
    stage.mock.set_failing(true);
    for _ in 0..3 {
        assert_eq!(stage.get("/external").await.status, 500);
    }
    let fallback = stage.get("/external").await;
    assert_eq!(fallback.status, 200);
    assert_eq!(
        fallback.body,
        r#"{"fallback":true,"reason":"external service failure"}"#
    );
    assert_eq!(stage.asked("/external"), 3);
}
