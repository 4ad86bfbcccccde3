//! How requests are shared out while all is well.

use std::collections::BTreeSet;

use upstream_mock::{Mock, Settings};

use crate::support::client::{Client, get};
use crate::support::eventually;
use crate::{ask, ask_often, counts, gateway, mocks, sample};

#[tokio::test]
async fn turns_are_exact_to_the_weight() {
    let mocks = mocks(3).await;
    let gateway = crate::file(&format!(
        r#"endpoints = ["{}", {{ url = "{}", weight = 3 }}, {{ url = "{}", weight = 6 }}]"#,
        mocks[0].url(),
        mocks[1].url(),
        mocks[2].url(),
    ));
    assert_eq!(ask_often(&gateway, 50).await, 50);
    assert_eq!(counts(&mocks), [5, 15, 30]);
}

#[tokio::test]
async fn equal_endpoints_take_turns() {
    let mocks = mocks(4).await;
    let gateway = gateway(&mocks, "");
    assert_eq!(ask_often(&gateway, 40).await, 40);
    assert_eq!(counts(&mocks), [10; 4]);
}

/// One endpoint that never answers holds what it has; the others get the rest.
#[tokio::test]
async fn the_less_loaded_is_preferred() {
    let slow = Settings {
        latency: std::time::Duration::from_secs(60),
        ..Settings::default()
    };
    let mut all = mocks(2).await;
    all.push(Mock::start(slow).await.unwrap());
    let gateway = gateway(&all, "balance = \"least_loaded\"\ntimeout = \"60s\"");
    let mut hanging = Vec::new();
    // Until it has one: from then on it is the more loaded of any two, as long as the others answer one by one.
    while counts(&all)[2] == 0 {
        let (proxy, before) = (gateway.proxy(), counts(&all).iter().sum::<u64>());
        hanging.push(tokio::spawn(async move { get(proxy, "/ok").await }));
        eventually("it arrives", async || {
            counts(&all).iter().sum::<u64>() > before
        })
        .await;
    }
    hanging.retain(|one| !one.is_finished());
    assert_eq!(ask_often(&gateway, 60).await, 60);
    assert_eq!(counts(&all)[2], 1);
    let in_flight = sample("in_flight", all[2].addr());
    eventually("it shows", async || gateway.metric(&in_flight).await == 1.0).await;
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Who served each of `tenants`, by the number of the mock.
async fn homes(gateway: &crate::Gateway, mocks: &[Mock], tenants: u32) -> Vec<usize> {
    let mut homes = Vec::new();
    for tenant in 0..tenants {
        let before = counts(mocks);
        let tenant = format!("tenant-{tenant}");
        assert_eq!(ask(gateway, &[("x-tenant", &tenant)]).await.status, 200);
        let after = counts(mocks);
        let moved = before.iter().zip(&after).position(|(one, two)| one != two);
        homes.push(moved.expect("a mock that served it"));
    }
    homes
}

#[tokio::test]
async fn a_key_stays_where_it_is_also_on_another_replica_and_when_others_fail() {
    let mut mocks = mocks(4).await;
    let rule = "balance = \"hash\"\nhash = \"header:X-Tenant\"\nejection = { failures = 1, base = \"5m\" }";
    let (one, other) = (gateway(&mocks, rule), gateway(&mocks, rule));
    let before = homes(&one, &mocks, 24).await;
    assert!(
        before.iter().collect::<BTreeSet<_>>().len() > 1,
        "{before:?}"
    );
    assert_eq!(homes(&one, &mocks, 24).await, before);
    assert_eq!(homes(&other, &mocks, 24).await, before);
    let gone = before[0];
    // The first request after finds out, and only that one fails.
    mocks[gone].set_failing(true);
    assert_eq!(ask(&one, &[("x-tenant", "tenant-0")]).await.status, 500);
    for (tenant, (was, is)) in before.iter().zip(homes(&one, &mocks, 24).await).enumerate() {
        assert_eq!(*was != gone, *was == is, "tenant {tenant}");
    }
    mocks.clear();
}

#[tokio::test]
async fn a_cookie_is_a_key_and_without_one_requests_are_spread() {
    let mocks = mocks(3).await;
    let gateway = gateway(&mocks, "balance = \"hash\"\nhash = \"cookie:session\"");
    for _ in 0..12 {
        ask(&gateway, &[("cookie", "theme=dark; session=abc")]).await;
    }
    let mut sorted = counts(&mocks);
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 0, 12]);
    ask_often(&gateway, 60).await;
    let sum: u64 = counts(&mocks).iter().sum();
    assert!(counts(&mocks).iter().all(|count| *count > 0) && sum == 72);
}

/// Stickiness gives way where an endpoint has more than its share in flight.
#[tokio::test]
async fn a_bound_sends_a_hot_key_on() {
    let slow = || Settings {
        latency: std::time::Duration::from_secs(60),
        ..Settings::default()
    };
    let all = [
        Mock::start(slow()).await.unwrap(),
        Mock::start(slow()).await.unwrap(),
    ];
    let rule = "balance = \"hash\"\nhash = \"client\"\nhash_bound = 1.0\ntimeout = \"60s\"";
    let gateway = gateway(&all, rule);
    let proxy = gateway.proxy();
    let mut hanging = Vec::new();
    for number in 1..=6 {
        hanging.push(tokio::spawn(async move {
            let mut client = Client::connect(proxy).await;
            client.get("/ok").await
        }));
        eventually("it arrives", async || {
            counts(&all).iter().sum::<u64>() == number
        })
        .await;
    }
    assert_eq!(counts(&all), [3, 3]);
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_retry_goes_to_another_endpoint() {
    let mut mocks = mocks(2).await;
    let text = format!(
        r#"
        [upstreams.default]
        circuit = {{ failures = 100000 }}
        endpoints = ["{}", "{}"]
        ejection = {{ failures = 0 }}
        balance = "hash"
        [[routes]]
        name = "all"
        path = "/{{*path}}"
        rewrite = "/{{path}}"
        upstream = "default"
        retry = {{ attempts = 2, initial_delay = "1ms" }}
        "#,
        mocks[0].url(),
        mocks[1].url(),
    );
    let gateway = crate::Gateway::from_file("", &text);
    // The same client, so the same endpoint each time: whichever it is, it goes, and each request finds the other.
    assert_eq!(ask_often(&gateway, 1).await, 1);
    let home = counts(&mocks).iter().position(|count| *count == 1).unwrap();
    mocks.remove(home).stop().await;
    assert_eq!(ask_often(&gateway, 10).await, 10);
    assert_eq!(counts(&mocks), [10]);
}
