//! Every algorithm is one limit, however many replicas there are.

use http::Method;

use super::support::client::{Client, get, request};
use super::support::eventually;
use super::{PATIENT, fleet};

/// The bucket's capacity that gateways of tests otherwise have.
const NO_CAPACITY: (&str, &str) = ("RATE_LIMIT_CAPACITY", "");
const ALGORITHM: &str = "GATEWAY__LIMITS__PER_CLIENT__ALGORITHM";
const LIMIT: &str = "GATEWAY__LIMITS__PER_CLIENT__LIMIT";
const WINDOW: &str = "GATEWAY__LIMITS__PER_CLIENT__WINDOW";
const LEASE: &str = "GATEWAY__LIMITS__PER_CLIENT__LEASE";

#[tokio::test]
async fn two_replicas_count_in_one_window() {
    for algorithm in ["fixed_window", "sliding_window", "sliding_log"] {
        let settings = [
            PATIENT,
            NO_CAPACITY,
            (ALGORITHM, algorithm),
            (LIMIT, "5"),
            (WINDOW, "300d"),
        ];
        let fleet = fleet(2, &settings).await;
        let mut statuses = Vec::new();
        for turn in 0..8 {
            let gateway = &fleet.gateways[turn % 2];
            statuses.push(get(gateway.proxy, "/proxy/ok").await.status);
        }
        assert_eq!(
            statuses,
            [200, 200, 200, 200, 200, 429, 429, 429],
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn two_replicas_have_one_number_of_requests_in_flight() {
    let settings = [
        PATIENT,
        NO_CAPACITY,
        (ALGORITHM, "concurrency"),
        (LIMIT, "2"),
        (LEASE, "2s"),
    ];
    let mut fleet = fleet(2, &settings).await;
    let mut hanging = Vec::new();
    for gateway in &fleet.gateways {
        let mut client = Client::connect(gateway.proxy).await;
        hanging.push(tokio::spawn(async move {
            let _ = client
                .try_send(request(Method::GET, "/proxy/hang", &[]))
                .await;
        }));
    }
    let both = |all: &upstream_mock::Recorder| all.count_path("/hang") == 2;
    fleet.mock.recorder().wait_until(both).await;
    // Longer than a lease: what runs is renewed, by each for its own.
    let begun = tokio::time::Instant::now();
    while begun.elapsed().as_secs() < 3 {
        for gateway in &fleet.gateways {
            assert_eq!(get(gateway.proxy, "/proxy/ok").await.status, 429);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // What a replica held that was killed comes back by itself, and only that.
    let other = fleet.gateways.remove(1);
    drop(fleet.gateways);
    eventually("the lease of the dead ends", || async {
        get(other.proxy, "/proxy/ok").await.status == 200
    })
    .await;
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}
