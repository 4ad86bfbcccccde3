//! Several gateway processes and one real Redis: they must behave as one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "fleet/algorithms.rs"]
mod algorithms;
mod support;

use std::time::Duration;

use support::client::{Client, get};
use support::eventually;
use support::process::Process;
use support::redis::Server;
use tokio::time::{Instant, sleep};
use upstream_mock::{Mock, Settings};

/// On a machine that is busy with other tests, 20 ms without an answer say nothing of Redis.
const PATIENT: (&str, &str) = ("GATEWAY__STORE__TIMEOUT", "5s");

struct Fleet {
    mock: Mock,
    redis: Server,
    gateways: Vec<Process>,
}

async fn fleet(replicas: usize, more: &[(&str, &str)]) -> Fleet {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let url = redis.url();
    let mut all = vec![("REDIS_URL", url.as_str())];
    all.extend(more);
    let mut gateways = Vec::new();
    for _ in 0..replicas {
        gateways.push(Process::start(&mock.url(), &all).await);
    }
    Fleet {
        mock,
        redis,
        gateways,
    }
}

async fn replicas_known(fleet: &Fleet) {
    let wanted = format!("gateway_replicas {}", fleet.gateways.len());
    for gateway in &fleet.gateways {
        eventually("every replica knows of every other", || async {
            let metrics = get(gateway.admin, "/metrics").await;
            String::from_utf8_lossy(&metrics.body)
                .lines()
                .any(|line| line == wanted)
        })
        .await;
    }
}

#[tokio::test]
async fn three_replicas_admit_what_one_would() {
    let settings = [
        PATIENT,
        ("RATE_LIMIT_CAPACITY", "100"),
        ("RATE_LIMIT_REFILL_RATE", "10"),
    ];
    let fleet = fleet(3, &settings).await;
    let started = Instant::now();
    let load = fleet.gateways.iter().map(|gateway| {
        let address = gateway.proxy;
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            let mut admitted = 0;
            let mut retry_after = None;
            for _ in 0..100 {
                let answer = client.get("/proxy/ok").await;
                match answer.status {
                    200 => admitted += 1,
                    429 => {
                        retry_after = answer
                            .header("retry-after")
                            .map(|text| text.parse().unwrap())
                    }
                    other => panic!("{other}"),
                }
            }
            (admitted, retry_after)
        })
    });
    let mut admitted = 0;
    let mut wait: u64 = 0;
    for outcome in load.collect::<Vec<_>>() {
        let (count, retry_after) = outcome.await.unwrap();
        admitted += count;
        wait = wait.max(retry_after.unwrap_or(0));
    }
    let refilled = started.elapsed().as_secs() / 6 + 1;
    assert!(
        (100..=100 + refilled).contains(&admitted),
        "{admitted} admitted"
    );
    // Retry-After is true: after that long a request succeeds, on any replica.
    assert!((1..=6).contains(&wait), "{wait}");
    sleep(Duration::from_secs(wait)).await;
    assert_eq!(get(fleet.gateways[1].proxy, "/proxy/ok").await.status, 200);
}

#[tokio::test]
async fn one_circuit_for_the_fleet_with_a_single_probe() {
    let settings = [
        PATIENT,
        ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "5"),
        ("CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS", "3"),
    ];
    let fleet = fleet(3, &settings).await;
    let [a, b, c] = &fleet.gateways[..] else {
        panic!("three")
    };
    for gateway in [a, b, c] {
        assert_eq!(get(gateway.proxy, "/proxy/ok").await.status, 200);
    }
    fleet.mock.set_failing(true);
    for _ in 0..5 {
        assert_eq!(get(a.proxy, "/proxy/ok").await.status, 500);
    }
    let seen = fleet.mock.recorder().count();
    // The push takes a moment to arrive, and longer on a busy machine: each replica is asked only once it has heard.
    for gateway in [a, b, c] {
        eventually("every replica has heard", || async {
            let metrics = get(gateway.admin, "/metrics").await;
            let open = "gateway_circuit_breaker_state{upstream=\"default\"} 2";
            String::from_utf8_lossy(&metrics.body)
                .lines()
                .any(|line| line == open)
        })
        .await;
    }
    for gateway in [b, c, a] {
        let refused = get(gateway.proxy, "/proxy/ok").await;
        assert_eq!(refused.status, 503);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3).contains(&wait), "{wait}");
        assert_eq!(
            refused.header("proxy-status"),
            Some("edge;error=destination_unavailable")
        );
    }
    assert_eq!(
        fleet.mock.recorder().count(),
        seen,
        "the upstream was not touched"
    );
    let metrics = get(b.admin, "/metrics").await;
    let moved = "gateway_circuit_breaker_transitions_total{upstream=\"default\",from=\"closed\",to=\"open\"} 1";
    assert!(
        String::from_utf8_lossy(&metrics.body)
            .lines()
            .any(|line| line == moved)
    );
    // After the reset timeout one probe goes out, whoever asks; it fails, and the circuit stays open.
    let mut statuses = Vec::new();
    while fleet.mock.recorder().count() == seen {
        let (one, two, three) = tokio::join!(
            get(a.proxy, "/proxy/ok"),
            get(b.proxy, "/proxy/ok"),
            get(c.proxy, "/proxy/ok")
        );
        statuses = vec![one.status, two.status, three.status];
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [500, 503, 503], "one probe");
    assert_eq!(fleet.mock.recorder().count(), seen + 1);
    fleet.mock.set_failing(false);
    for gateway in [c, b, a] {
        eventually("the circuit closes everywhere", || async {
            get(gateway.proxy, "/proxy/ok").await.status == 200
        })
        .await;
    }
    a.event("circuit_opened").await;
    b.event("circuit_opened").await;
    b.event("circuit_closed").await;
}

#[tokio::test]
async fn the_loss_of_redis_is_no_error_of_any_request() {
    let settings = [
        ("RATE_LIMIT_CAPACITY", "1000000"),
        ("RATE_LIMIT_REFILL_RATE", "1000"),
    ];
    let mut fleet = fleet(2, &settings).await;
    replicas_known(&fleet).await;
    let address = fleet.gateways[0].proxy;
    let admin = fleet.gateways[0].admin;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let load = tokio::spawn(async move {
        let mut client = Client::connect(address).await;
        let (mut count, mut bad) = (0_u64, Vec::new());
        while !*stopped.borrow_and_update() {
            let answer = client.get("/proxy/ok").await;
            count += 1;
            if answer.status != 200 {
                bad.push(answer.status);
            }
        }
        (count, bad)
    });
    let up = |wanted: &'static str| async move {
        let metrics = get(admin, "/metrics").await;
        String::from_utf8_lossy(&metrics.body)
            .lines()
            .any(|line| line == wanted)
    };
    eventually("the store is up", || up("gateway_store_up 1")).await;
    fleet.redis.kill();
    eventually("the store is down", || up("gateway_store_up 0")).await;
    fleet.gateways[0].event("store_down").await;
    let before = fleet.mock.recorder().count();
    fleet.mock.recorder().wait_for(before + 50).await;
    fleet.redis.restart();
    eventually("the store is up again", || up("gateway_store_up 1")).await;
    fleet.gateways[0].event("store_up").await;
    stop.send(true).unwrap();
    let (count, bad) = load.await.unwrap();
    assert!(count > 50);
    assert_eq!(bad, [] as [u16; 0], "of {count}");
}

#[tokio::test]
async fn a_gateway_starts_without_its_redis() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("redis://{nobody}");
    let gateway = Process::start(
        &mock.url(),
        &[("REDIS_URL", &url), ("RATE_LIMIT_CAPACITY", "2")],
    )
    .await;
    let mut client = Client::connect(gateway.proxy).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.get("/proxy/ok").await.status);
    }
    assert_eq!(
        statuses,
        [200, 200, 429],
        "the limit is kept by this replica alone"
    );
}
