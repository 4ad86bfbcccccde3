//! An endpoint that fails is left out, and comes back.

use std::time::Duration;

use upstream_mock::{Mock, Settings};

use crate::support::eventually;
use crate::{ask_often, counts, gateway, member, mocks, sample};

const CHECKS: &str = r#"
    health = { path = "/health", interval = "50ms", timeout = "20s", healthy = 2, unhealthy = 2 }
    ejection = { failures = 0 }
"#;

#[tokio::test]
async fn a_dead_endpoint_is_found_by_checks_and_found_again() {
    let mut all = mocks(3).await;
    let gateway = gateway(&all, CHECKS);
    let address = all[0].addr();
    all.remove(0).stop().await;
    let healthy = sample("healthy", address);
    eventually("it is unhealthy", async || {
        gateway.metric(&healthy).await == 0.0
    })
    .await;
    assert_eq!(ask_often(&gateway, 30).await, 30);
    eventually("the API says so", async || {
        member(&gateway, address).await["state"] == "unhealthy"
    })
    .await;
    let shown = member(&gateway, address).await;
    assert!(
        shown["error"].as_str().unwrap().starts_with("check: "),
        "{shown}"
    );
    assert!(shown["since"].as_u64().unwrap() > 0);

    let back = Mock::bind(address, Settings::default()).await.unwrap();
    eventually("it is healthy", async || {
        gateway.metric(&healthy).await == 1.0
    })
    .await;
    assert_eq!(ask_often(&gateway, 30).await, 30);
    assert!(counts(&[back]) == [10], "it takes its turns again");
}

#[tokio::test]
async fn a_check_that_is_answered_with_another_status_fails() {
    let all = mocks(2).await;
    let rule = r#"
        health = { path = "/status/418", interval = "50ms", timeout = "20s", statuses = [200, "410-419"] }
    "#;
    let passes = gateway(&all, rule);
    let rule = rule.replace("410-419", "410-417");
    let fails = gateway(&all, &rule);
    let healthy = sample("healthy", all[0].addr());
    eventually("it is unhealthy", async || {
        fails.metric(&healthy).await == 0.0
    })
    .await;
    eventually("it is checked", async || {
        all[0].recorder().count_path("/status/418") > 12
    })
    .await;
    assert!((passes.metric(&healthy).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn an_endpoint_whose_requests_fail_is_ejected_and_returns() {
    let all = mocks(3).await;
    let gateway = gateway(&all, r#"ejection = { failures = 3, base = "1s" }"#);
    let address = all[1].addr();
    all[1].set_failing(true);
    // Every third request fails until the third failure.
    assert_eq!(ask_often(&gateway, 9).await, 6);
    assert!((gateway.metric(&sample("healthy", address)).await).abs() < f64::EPSILON);
    let ejections = sample("ejections_total", address);
    assert!((gateway.metric(&ejections).await - 1.0).abs() < f64::EPSILON);
    all[1].set_failing(false);
    let seen = counts(&all)[1];
    eventually("it returns", async || {
        assert_eq!(ask_often(&gateway, 3).await, 3);
        counts(&all)[1] > seen
    })
    .await;
    eventually("the API says so", async || {
        let shown = member(&gateway, address).await;
        shown["state"] == "healthy" && shown["ejections"] == 1 && shown["error"] == "status 500"
    })
    .await;
}

/// A connection that is refused counts like a failure status.
#[tokio::test]
async fn a_dead_endpoint_costs_a_few_requests_and_no_more() {
    let mut all = mocks(4).await;
    let gateway = gateway(&all, r#"ejection = { failures = 2, base = "5m" }"#);
    all.remove(2).stop().await;
    assert_eq!(ask_often(&gateway, 100).await, 98);
}

#[tokio::test]
async fn no_more_are_ejected_than_the_share() {
    let all = mocks(4).await;
    let rule = r#"ejection = { failures = 1, base = "5m", max_share = 0.5 }"#;
    let gateway = gateway(&all, rule);
    all.iter().for_each(|mock| mock.set_failing(true));
    assert_eq!(ask_often(&gateway, 40).await, 0);
    let mut out = 0.0;
    for mock in &all {
        out += 1.0 - gateway.metric(&sample("healthy", mock.addr())).await;
    }
    assert!((out - 2.0).abs() < f64::EPSILON, "{out} of 4 are left out");
}

#[tokio::test]
async fn below_the_panic_threshold_all_are_used_and_without_one_none() {
    for (threshold, status) in [("0.5", 200), ("0", 503)] {
        let all = mocks(2).await;
        let rule = format!(
            r#"
            panic_threshold = {threshold}
            health = {{ path = "/status/500", interval = "50ms", timeout = "20s", unhealthy = 1 }}
            "#
        );
        let gateway = gateway(&all, &rule);
        for mock in &all {
            let healthy = sample("healthy", mock.addr());
            eventually("unhealthy", async || gateway.metric(&healthy).await == 0.0).await;
        }
        assert_eq!(gateway.get("/ok").await.status, status, "at {threshold}");
    }
}

#[tokio::test]
async fn one_that_returns_gets_its_share_step_by_step() {
    let all = mocks(2).await;
    let rule = r#"
        ejection = { failures = 1, base = "50ms" }
        slow_start = "5m"
    "#;
    let gateway = gateway(&all, rule);
    all[0].set_failing(true);
    assert_eq!(ask_often(&gateway, 2).await, 1);
    all[0].set_failing(false);
    let healthy = sample("healthy", all[0].addr());
    eventually("it returns", async || gateway.metric(&healthy).await == 1.0).await;
    let before = counts(&all)[0];
    assert_eq!(ask_often(&gateway, 400).await, 400);
    let share = (counts(&all)[0] - before) as f64 / 400.0;
    // A tenth of its weight beside a whole one: 1 in 11.
    assert!((0.02..0.25).contains(&share), "{share} at once");
}

/// A check hangs; the others go on.
#[tokio::test]
async fn a_check_ends_in_time() {
    let all = mocks(2).await;
    let rule = r#"health = { path = "/hang", interval = "50ms", timeout = "50ms", unhealthy = 1 }"#;
    let gateway = gateway(&all, rule);
    let address = all[0].addr();
    eventually("it is unhealthy", async || {
        let shown = member(&gateway, address).await;
        shown["error"] == format!("check: no answer within {:?}", Duration::from_millis(50))
    })
    .await;
}
